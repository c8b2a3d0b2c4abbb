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
