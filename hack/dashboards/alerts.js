// Prometheus' alert rules as rules that Grafana itself evaluates, with the meaning kept.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';

// The UID of the datasource in config/grafana/provisioning/datasources.
const datasourceUid = 'prometheus';
const folder = 'REIMS health';

/**
 * @typedef {object} Rule
 * @property {string} alert
 * @property {string} expr
 * @property {string} [for]
 * @property {string} [keep_firing_for]
 * @property {Record<string, string>} [labels]
 * @property {Record<string, string>} [annotations]
 */

/** @typedef {{ name: string, interval?: string, rules: Rule[] }} Group */

const heading = `# Generated from config/prometheus/rules by \`make update-dashboards\`: edit there.
# The same alerts for Grafana to evaluate. Prometheus keeps its rules, since these ask for
# what they record; let only one of the two notify. See docs/dashboards.md.
`;

/**
 * The provisioning file that means what all rule files in a folder mean.
 * @param {string} dir
 */
export function alertRules(dir) {
  const files = readdirSync(dir).filter((name) => name.endsWith('.yaml')).sort();
  /** @type {Group[]} */
  const groups = files.flatMap((name) => parse(readFileSync(join(dir, name), 'utf8')).groups);
  const alerting = groups.map((group) => ({ ...group, rules: group.rules.filter((rule) => rule.alert) }))
    .filter((group) => group.rules.length > 0);
  if (alerting.length === 0) throw new Error(`no alert rules in ${dir}`);
  return heading + stringify({ apiVersion: 1, groups: alerting.map(convertGroup) }, { lineWidth: 0, aliasDuplicateObjects: false });
}

/** @param {Group} group */
function convertGroup(group) {
  return {
    orgId: 1,
    name: group.name,
    folder,
    interval: group.interval ?? '30s',
    rules: group.rules.map(convert),
  };
}

/**
 * A UID that stays when rules are reordered. Grafana allows 40 characters.
 * @param {Rule} rule
 */
function uid({ alert, labels }) {
  const words = [...alert.replace(/^ReimsHealth/, 'Reims').split(/(?=[A-Z])/), labels?.severity ?? ''];
  const id = words.join('-').toLowerCase();
  if (!/^[a-z0-9-]{1,40}$/.test(id)) throw new Error(`${alert}: ${id} is no UID for Grafana`);
  return id;
}

/**
 * Prometheus fires for every series that the expression returns, whatever its value;
 * Grafana fires where the condition is above zero. So the condition asks whether there
 * is a value: what Grafana's own import of Prometheus rules does.
 * @param {Rule} rule
 */
function convert(rule) {
  return {
    uid: uid(rule),
    title: rule.alert,
    condition: 'threshold',
    data: [
      query(rule.expr),
      expression('prometheus_math', 'math', { expression: 'is_number($query) || is_nan($query) || is_inf($query)' }),
      expression('threshold', 'threshold', {
        expression: 'prometheus_math',
        conditions: [{ type: 'query', evaluator: { type: 'gt', params: [0] } }],
      }),
    ],
    noDataState: 'OK',
    execErrState: 'Error',
    missing_series_evals_to_resolve: 1,
    for: rule.for ?? '0s',
    ...(rule.keep_firing_for && { keepFiringFor: rule.keep_firing_for }),
    annotations: mapValues(rule.annotations ?? {}, grafanaTemplate),
    labels: mapValues(rule.labels ?? {}, (text) => grafanaTemplate(text).replaceAll('$', '$$$$')),
  };
}

/** @param {string} expr */
function query(expr) {
  return {
    refId: 'query',
    relativeTimeRange: { from: 600, to: 0 },
    datasourceUid,
    model: { refId: 'query', datasource: { type: 'prometheus', uid: datasourceUid }, expr, instant: true, range: false },
  };
}

/**
 * @param {string} refId
 * @param {string} type
 * @param {object} options
 */
function expression(refId, type, options) {
  return {
    refId,
    relativeTimeRange: { from: 0, to: 0 },
    queryType: type,
    datasourceUid: '__expr__',
    model: { refId, type, datasource: { type: '__expr__', uid: '__expr__' }, ...options },
  };
}

/**
 * `$value` is the number in Prometheus, but a sentence about all expressions in Grafana.
 * @param {string} text
 */
function grafanaTemplate(text) {
  return text.replace(/\$value\b/g, '$values.query.Value');
}

/**
 * @param {Record<string, string>} record
 * @param {(text: string) => string} change
 */
function mapValues(record, change) {
  return Object.fromEntries(Object.entries(record).map(([name, text]) => [name, change(String(text))]));
}
