// The fleet at a glance: every Pod, every service.
import * as units from '@grafana/grafana-foundation-sdk/units';
import { DashboardLinkBuilder } from '@grafana/grafana-foundation-sdk/dashboard';
import { dashboard, uidOf } from './dashboard.js';
import { bars, coloured, graded, limited, lines, stacked, stat, table, timeline, verdicts } from './panels.js';
import { increase, ofFleet, ofSidecars, readiness, selected, worstExtent, worstStatus } from './promql.js';
import { availability, budgetLeft, burnRate, firing } from './recorded.js';
import { budget, codes, colour, extentCodes, readinessCodes, thresholds, zeroIsGood } from './status.js';

/** @param {import('./kinds.js').Kind[]} kinds those whose service has a dashboard of its own */
export function overview(kinds) {
  return dashboard({
    name: 'overview',
    title: 'Overview',
    description: 'Every REIMS Pod and the services that it needs, as its health sidecar sees them.',
    transitions: [],
    rows: [now(), states(kinds), objective(), checks(), peers(), fleet(), sidecars()],
  });
}

function now() {
  return {
    title: 'Now',
    panels: [
      stat({
        title: 'Pods', unit: units.Short,
        description: 'Sidecars that were scraped. Fewer than there are Pods: see the alert on absent sidecars.',
      }, [`count(${selected('reims_health_ready')})`]),
      stat({
        title: 'Pods not ready', unit: units.Short,
        description: 'Pods whose /health/ready answers 503: starting, draining, held by an override, or without a service that they need.',
      }, [`count(${selected('reims_health_ready')} == 0) or 0 * count(${selected('reims_health_ready')})`]).thresholds(zeroIsGood),
      stat({
        title: 'Services down', unit: units.Short,
        description: 'Services that are unhealthy or unknown for at least one Pod.',
      }, [`count(count by (service) (${selected('reims_health_up')} == 0)) or 0 * count(${selected('reims_health_up')})`]).thresholds(zeroIsGood),
      stat({
        title: 'Alerts firing', unit: units.Short,
        description: 'Alerts of these rules that fire now. The table further down names them.',
      }, [`count(${firing}) or vector(0)`]).thresholds(zeroIsGood),
      stat({
        title: 'Lowest error budget', unit: units.PercentUnit,
        description: 'The part of 30 days\' allowed failures that is not used up, of the service that has used most. What is not known counts as good. Below zero the objective is missed.',
      }, [`min(${budgetLeft()})`]).thresholds(budget),
      stat({
        title: 'Overrides', unit: units.Short,
        description: 'Pods whose readiness a break-glass file decides. Somebody should know of each.',
      }, [`sum(${selected('reims_health_override')})`]).thresholds(thresholds(colour.healthy, [1, 'orange'])),
    ],
  };
}

/** @param {import('./kinds.js').Kind[]} kinds */
function states(kinds) {
  return {
    title: 'Status',
    panels: [
      timeline({
        title: 'Worst status by service', unit: units.Short, height: 6,
        description: 'The worst that any Pod says of each service. Click a service for its dashboard.',
      }, [worstStatus('service'), '{{service}}'], codes).dataLinks([serviceLink('service')])
        .overrideByRegexp(`/^(${kinds.map(({ service }) => service).join('|')})$/`, [{ id: 'links', value: [serviceLink('${__field.labels.service}').build()] }]),
      timeline({
        title: 'Worst status by Pod', unit: units.Short, height: 10,
        description: 'The worst status among the services of each Pod. One red line is that Pod or its node; all red is the service.',
      }, [worstStatus('namespace, pod'), '{{namespace}}/{{pod}}'], codes),
      timeline({
        title: 'Readiness by Pod', unit: units.Short, height: 10,
        description: 'What /health/ready answers in each Pod, and whether an override decides it. A Pod that drains is not ready until it is gone.',
      }, [readiness('namespace, pod'), '{{namespace}}/{{pod}}'], readinessCodes),
    ],
  };
}

/** @param {string} dashboard its name */
function serviceLink(dashboard) {
  return new DashboardLinkBuilder('Dashboard of ${__field.labels.service}')
    .url(`/d/${uidOf(dashboard)}?\${datasource:queryparam}&\${cluster:queryparam}&\${namespace:queryparam}&\${pod:queryparam}&var-service=\${__field.labels.service}&\${__url_time_range}`);
}

/** To the runbook of an alert of these rules: each has a page of its name, as its annotation runbook_url says. */
function runbookLink() {
  return new DashboardLinkBuilder('Runbook of ${__value.text}').targetBlank(true)
    .url('https://github.com/reims/reims-health/blob/main/docs/alerts/${__value.text}.md');
}

function objective() {
  return {
    title: 'Objective and alerts',
    panels: [
      lines({
        title: 'Availability, 5 minutes', unit: units.PercentUnit, width: 8,
        description: 'The share of checks that got an answer, over 5 minutes, of each service in each namespace.',
      }, [availability('5m'), '{{namespace}} {{service}}']).max(1),
      limited(lines({
        title: 'Burn rate, 1 hour', unit: units.Short, width: 8,
        description: 'How many times faster than the objective allows checks fail. At 1 the error budget lasts its 30 days, at 14.4 two days; there an alert fires.',
      }, [burnRate('1h'), '{{namespace}} {{service}}']).min(0), thresholds(colour.healthy, [1, colour.degraded], [14.4, colour.unhealthy])),
      lines({
        title: 'Error budget left', unit: units.PercentUnit, width: 8,
        description: 'The part of the failures allowed in 30 days that is not used up. What is not known counts as good, such as the time beyond Prometheus\' retention. Below zero the objective is missed.',
      }, [budgetLeft(), '{{namespace}} {{service}}']).max(1),
      table({
        title: 'Firing alerts', unit: units.DateTimeFromNow,
        description: 'Alerts that fire now, and since when their condition has held. As Prometheus has them. Click a name for its runbook.',
      }, `max by (alertname, severity, cluster, namespace, service, node, mode) (ALERTS_FOR_STATE and ignoring (alertstate) ${firing}) * 1000`,
      ['alertname', 'severity', 'cluster', 'namespace', 'service', 'node', 'mode'], 'since').noValue('none')
        .overrideByName('alertname', [{ id: 'links', value: [runbookLink().build()] }]),
      graded(table({
        title: 'Worst services', unit: units.PercentUnit,
        description: 'The ten pairs of Pod and service that were down for the largest part of the last hour.',
      }, `topk(10, max by (namespace, pod, service) (1 - avg_over_time(${selected('reims_health_up')}[1h])))`,
      ['namespace', 'pod', 'service'], 'down'), 'down',
      thresholds(colour.healthy, [0.001, colour.degraded], [0.1, colour.unhealthy])),
    ],
  };
}

function checks() {
  return {
    title: 'Checks',
    panels: [
      lines({
        title: 'Latest check, slowest Pod', unit: units.Seconds,
        description: 'How long the latest check took in the Pod in which it took longest, by service. A failed check counts with its time to fail.',
      }, [`max by (service) (${selected('reims_health_probe_last_duration_seconds')})`, '{{service}}']),
      bars({
        title: 'Failed checks', unit: units.Short,
        description: 'Checks that got no answer, by service. One alone is a blip and changes no verdict; the dashboards of the services have the reasons.',
      }, [`sum by (service) (${increase('reims_health_probe_duration_seconds_count', 'result="failure"')})`, '{{service}}']),
      coloured(bars({
        title: 'Transitions', unit: units.Short,
        description: 'Changes of verdict, by what they changed to. Many are a service that goes back and forth.',
      }, [`sum by (to) (${increase('reims_health_transitions_total')})`, '{{to}}']), verdicts),
      bars({
        title: 'Checks discarded', unit: units.Short,
        description: 'Timeouts that the sidecar puts down to its own lack of CPU. Other than zero: raise its CPU request.',
      }, [`sum by (service) (${increase('reims_health_probes_total', 'result="discarded"')})`, '{{service}}']),
    ],
  };
}

function peers() {
  const state = (/** @type {string} */ name) => `sum by (namespace) (${selected('reims_health_peers', `state="${name}"`)})`;
  return {
    title: 'Whose fault',
    panels: [
      stacked(lines({
        title: 'Faults by scope', unit: units.Short, width: 8,
        description: 'Pods that find a service unhealthy, by whose fault the other Pods say it is: shared and alone hold Pods ready, local does not. Empty without HEALTH_PEERS, and while all is well.',
      }, [`sum by (service, scope) (${selected('reims_health_fault_scope')}) > 0`, '{{service}} {{scope}}'])).min(0),
      lines({
        title: 'Pods held', unit: units.Short, width: 8,
        description: 'Pods that are ready although a service that they need is unhealthy, by service. Empty without HEALTH_PEERS.',
      }, [`sum by (service) (${selected('reims_health_held')})`, '{{service}}']).min(0),
      lines({
        title: 'Peers that answer', unit: units.PercentUnit, width: 8,
        description: 'The share of the peers asked in the latest rounds that answered, by namespace. Far below 100 %, a shared fault cannot be told from a Pod\'s own. Empty without HEALTH_PEERS.',
      }, [`${state('answered')} / (${state('asked')} > 0)`, '{{namespace}}']).min(0).max(1),
    ],
  };
}

function fleet() {
  const pods = (/** @type {string} */ state) => `sum(max by (cluster, namespace, workload) (${ofFleet('reims_fleet_pods', `state="${state}"`)}))`;
  return {
    title: 'Fleet program',
    panels: [
      timeline({
        title: 'How far faults reach', unit: units.Short, height: 6, width: 12,
        description: 'For how many Pods each service is unhealthy, as the fleet program finds out: some Pods, nodes, zones, or most of them. Empty without the fleet program.',
      }, [worstExtent('namespace, workload, service'), '{{namespace}}/{{workload}} {{service}}'], extentCodes),
      stacked(lines({
        title: 'Pods that the fleet program sees', unit: units.Short, width: 6, height: 6,
        description: 'Pods that answer it, and Pods that do not, whose health is unknown to it. Empty without the fleet program.',
      }, [pods('answering'), 'answering'], [pods('silent'), 'silent'])).min(0),
      lines({
        title: 'Age of the oldest answer to it', unit: units.Seconds, width: 6, height: 6,
        description: 'How long ago the Pod was asked whose answer is the oldest that counts, by workload. Up to three intervals are normal. Empty without the fleet program.',
      }, [`max by (namespace, workload) (${ofFleet('reims_fleet_oldest_answer_age_seconds')})`, '{{namespace}}/{{workload}}']).min(0),
    ],
  };
}

function sidecars() {
  return {
    title: 'Sidecars',
    panels: [
      table({
        title: 'Builds', unit: units.Short,
        description: 'Sidecars by build. More than one outside a rollout: something is left behind.',
      }, `count by (version, revision, goversion) (${selected('reims_health_build_info')})`,
      ['version', 'revision', 'goversion'], 'sidecars'),
      lines({
        title: 'Age of the oldest result', unit: units.Seconds,
        description: 'How long ago a check was over, in the Pod in which that is longest. Past twice the interval and the timeout a result is stale.',
      }, [`max by (service) (time() - ${selected('reims_health_last_probe_timestamp_seconds')})`, '{{service}}']),
      lines({
        title: 'Memory', unit: units.BytesIEC,
        description: 'Resident memory of the sidecars: the largest and the median. The chart limits it to 64 MiB.',
      }, [`max(${ofSidecars(selected('process_resident_memory_bytes'))})`, 'largest'],
      [`quantile(0.5, ${ofSidecars(selected('process_resident_memory_bytes'))})`, 'median']).min(0),
      lines({
        title: 'CPU', unit: units.Short,
        description: 'Cores that a sidecar uses: the busiest and the median.',
      }, [`max(${ofSidecars(`rate(${selected('process_cpu_seconds_total')}[$__rate_interval])`)})`, 'busiest'],
      [`quantile(0.5, ${ofSidecars(`rate(${selected('process_cpu_seconds_total')}[$__rate_interval])`)})`, 'median']).min(0),
    ],
  };
}
