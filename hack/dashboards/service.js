// The dashboard of one service; the same for each but for its options.
import * as units from '@grafana/grafana-foundation-sdk/units';
import { dashboard, serviceVariable } from './dashboard.js';
import { rowsOf, rowsOfAny } from './kinds.js';
import { bars, coloured, heatmap, lines, stat, table, timeline, verdicts } from './panels.js';
import { increase, selected, worstStatus } from './promql.js';
import { availability, budgetLeft } from './recorded.js';
import { budget, codes, colour, thresholds, zeroIsGood } from './status.js';

const durations = 'reims_health_probe_duration_seconds';

/** @typedef {import('./kinds.js').Kind} Kind */

/** @param {Kind} kind */
export function serviceDashboard(kind) {
  const own = `service="${kind.service}"`;
  return dashboard({
    name: kind.service,
    title: kind.title,
    description: `${kind.title} as the health sidecars of the REIMS Pods see it.`,
    transitions: [own],
    rows: [now(own), latency(own), reasons(own, kind.faults), ...rowsOf(kind)],
  });
}

/**
 * The dashboard of every service that has none of its own.
 * @param {Kind[]} kinds
 */
export function anyService(kinds) {
  const own = 'service="$service"';
  return dashboard({
    name: 'service',
    title: 'Any service',
    description: 'One service as the health sidecars of the Pods see it: choose it at the top. For services of HEALTH_SERVICES that have no dashboard of their own.',
    transitions: [own],
    variables: [serviceVariable(kinds.map(({ service }) => service).filter(Boolean))],
    rows: [now(own), latency(own), reasons(own, ['slow']), ...rowsOfAny(kinds)],
  });
}

/** @param {string} own */
function now(own) {
  return {
    title: 'Status',
    panels: [
      stat({
        title: 'Worst status', unit: units.Short,
        description: 'The worst that any Pod says of the service.',
      }, [worstStatus('service', own)]).mappings(codes),
      stat({
        title: 'Pods without it', unit: units.Short,
        description: 'Pods for which the service is unhealthy or unknown. One: look at the Pod and its node. All: look at the service.',
      }, [`count(${selected('reims_health_up', own)} == 0) or 0 * count(${selected('reims_health_up', own)})`]).thresholds(zeroIsGood),
      stat({
        title: 'Pods degraded', unit: units.Short,
        description: 'Pods for which the service answers, but slowly or incompletely.',
      }, [`sum(${selected('reims_health_status', own, 'status="degraded"')})`])
        .thresholds(thresholds(colour.healthy, [1, colour.degraded])),
      stat({
        title: 'Availability, 1 hour', unit: units.PercentUnit,
        description: 'The share of checks that got an answer, in the namespace where it was lowest.',
      }, [`min(${availability('1h', own)})`]).decimals(2).thresholds(thresholds(colour.neutral)),
      stat({
        title: 'Availability, 30 days', unit: units.PercentUnit,
        description: 'The same over 30 days, or as far back as Prometheus has the record: its retention, or since the rules were loaded.',
      }, [`min(${availability('30d', own)})`]).decimals(2).thresholds(thresholds(colour.neutral)),
      stat({
        title: 'Error budget left', unit: units.PercentUnit,
        description: 'The part of the failures allowed in 30 days that is not used up. What is not known counts as good, such as the time beyond Prometheus\' retention. Below zero the objective is missed.',
      }, [`min(${budgetLeft(own)})`]).thresholds(budget),
      timeline({
        title: 'Status by Pod', unit: units.Short, height: 10,
        description: 'What each Pod says of the service. One line alone is that Pod or its node; all together is the service.',
      }, [worstStatus('namespace, pod', own), '{{namespace}}/{{pod}}'], codes),
    ],
  };
}

/** @param {string} own */
function latency(own) {
  const buckets = (/** @type {string[]} */ ...more) => `sum by (le) (${increase(`${durations}_bucket`, own, ...more)})`;
  const rate = `sum by (le) (rate(${selected(`${durations}_bucket`, own, 'result="success"')}[$__rate_interval]))`;
  const last = selected('reims_health_probe_last_duration_seconds', own);
  return {
    title: 'Latency',
    panels: [
      heatmap({
        title: 'Latency of checks', unit: units.Seconds,
        description: 'Checks by how long they took, in decades. The top row is everything slower than a second, and every failed check.',
      }, buckets()),
      lines({
        title: 'Percentiles of answers', unit: units.Seconds,
        description: 'How long answers took, over all Pods. The buckets are decades, so read these as orders of magnitude; failed checks are left out.',
      }, ...[0.5, 0.9, 0.99].map((q) => /** @type {[string, string]} */ ([`histogram_quantile(${q}, ${rate})`, `p${q * 100}`]))),
      lines({
        title: 'Latest check', unit: units.Seconds,
        description: 'How long the latest check took, exactly: in the slowest Pod and in the median one. A failed check counts with its time to fail.',
      }, [`max(${last})`, 'slowest'], [`quantile(0.5, ${last})`, 'median']).min(0),
      table({
        title: 'Slowest Pods', unit: units.Seconds,
        description: 'The ten Pods whose checks took longest on average in the last 10 minutes.',
      }, `topk(10, max by (namespace, pod) (avg_over_time(${last}[10m])))`, ['namespace', 'pod'], 'latency'),
    ],
  };
}

/**
 * @param {string} own
 * @param {string[]} faults
 */
function reasons(own, faults) {
  const probes = (/** @type {string[]} */ ...more) => `sum by (reason) (${increase('reims_health_probes_total', own, ...more)})`;
  return {
    title: 'Reasons',
    panels: [
      bars({
        title: 'Failed checks by reason', unit: units.Short,
        description: 'Checks without an answer, by what went wrong (docs/troubleshooting.md explains each reason). A reason that is new in a Pod shows from its second failure on.',
      }, [probes('result="failure"'), '{{reason}}']),
      bars({
        title: 'Faulty answers by reason', unit: units.Short,
        description: `Checks that were answered, but with a fault, such as ${list(faults)}. They degrade the service.`,
      }, [probes('result="success"', 'reason!=""'), '{{reason}}']),
      coloured(bars({
        title: 'Transitions', unit: units.Short,
        description: 'Changes of verdict, by what they changed to. The first verdict after a start counts.',
      }, [`sum by (to) (${increase('reims_health_transitions_total', own)})`, '{{to}}']), verdicts),
      lines({
        title: 'Time since last healthy', unit: units.Seconds,
        description: 'How long ago a check found the service healthy, in the Pod in which that is longest. A few seconds is normal; no line: never since the sidecar started.',
      }, [`max(time() - ${selected('reims_health_last_success_timestamp_seconds', own)})`, 'longest']).min(0),
    ],
  };
}

/** @param {string[]} words */
function list(words) {
  return words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${words.at(-1)}` : words.join();
}
