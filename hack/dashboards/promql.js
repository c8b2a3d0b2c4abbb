// Pieces of PromQL that several panels share.

/**
 * A selector for the Pods that the dashboard's variables choose.
 * The variables' All is `.*`, which also matches series with no such label.
 * @param {string} metric
 * @param {string[]} matchers further ones, such as `service="redis"`
 */
export function selected(metric, ...matchers) {
  return `${metric}{${['cluster=~"$cluster"', 'namespace=~"$namespace"', 'pod=~"$pod"', ...matchers].join(', ')}}`;
}

/**
 * The matchers of one service's series of a metric. The old names have no label for it:
 * they are of the one service that there was.
 * @param {string} metric
 * @param {string} service
 */
export function ofService(metric, service) {
  return metric.startsWith('reims_health_') ? [`service="${service}"`] : [];
}

/**
 * What a counter gained around each point, however far apart the points are.
 * @param {string} metric
 * @param {string[]} matchers
 */
export function increase(metric, ...matchers) {
  return `increase(${selected(metric, ...matchers)}[$__rate_interval])`;
}

/**
 * The worst status in each group, as a number: see codes in status.js.
 * @param {string} labels to group by
 * @param {string[]} matchers
 */
export function worstStatus(labels, ...matchers) {
  const worth = (/** @type {string} */ status, /** @type {number} */ code) =>
    `${code} * ${selected('reims_health_status', `status="${status}"`, ...matchers)}`;
  return `max by (${labels}) (${worth('degraded', 1)} or ${worth('unknown', 2)} or ${worth('unhealthy', 3)})`;
}

/**
 * The readiness in each group, as a number: see readinessCodes in status.js. An override
 * adds 2, and each part counts once, however many series a group has of it.
 * @param {string} labels to group by
 */
export function readiness(labels) {
  return `max by (${labels}) (${selected('reims_health_ready')}) + 2 * max by (${labels}) (${selected('reims_health_override')})`;
}

/**
 * Only the sidecars' series of a metric that every process has.
 * @param {string} expr
 */
export function ofSidecars(expr) {
  return `${expr} and on (cluster, job, instance) ${selected('reims_health_build_info')}`;
}

/**
 * A selector for the fleet program's series, which are about whole workloads: the choice of Pods
 * has no effect on it. Each replica of the program has all of them, so take the maximum, not the sum.
 * @param {string} metric
 * @param {string[]} matchers
 */
export function ofFleet(metric, ...matchers) {
  return `${metric}{${['cluster=~"$cluster"', 'namespace=~"$namespace"', ...matchers].join(', ')}}`;
}

/**
 * How far faults reach in each group at most, as a number: see extentCodes in status.js.
 * @param {string} labels to group by
 */
export function worstExtent(labels) {
  const each = ['pods', 'node', 'zone', 'shared'].map((extent, n) => `${n + 1} * ${ofFleet('reims_fleet_fault_extent', `extent="${extent}"`)}`);
  return `max by (${labels}) (${each.join(' or ')})`;
}
