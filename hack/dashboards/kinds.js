// The rows that only one kind of service has, from what the program knows of it:
// kinds.json, which `make update-docs` writes. Nothing here names a service.
import * as units from '@grafana/grafana-foundation-sdk/units';
import { limited, lines, stacked, table } from './panels.js';
import { ofService, selected } from './promql.js';
import { fullness } from './status.js';

/**
 * @typedef {object} Kind
 * @property {string} service the name of the service that has always been of this kind; empty where there is none
 * @property {string} title
 * @property {string[]} faults the reasons that an answer of it can have
 * @property {Gauge[]} gauges
 * @property {Share[]} shares
 * @property {Row[]} rows those that the gauges do not say how to draw
 */
/** @typedef {{ name: string, title: string, help: string, unit: string, label?: string }} Gauge */
/** @typedef {{ title: string, parts: Series[], whole?: Series, gauges: string[] }} Share */
/** @typedef {{ word?: string, gauge: string, label?: string, value?: string }} Series */
/** @typedef {{ title: string, panels: Panel[] }} Row */
/** @typedef {{ title: string, description: string, form: string, queries: { expr: string, legend?: string }[], labels?: string[], value?: string }} Panel */

/**
 * @param {Kind} kind
 * @returns {import('./dashboard.js').Row[]}
 */
export function rowsOf(kind) {
  const shownByRows = kind.gauges.map(({ name }) => name).filter((name) => kind.rows.some(({ panels }) =>
    panels.some(({ queries }) => queries.some(({ expr }) => mentions(name).test(expr)))));
  const shares = kind.shares.filter(({ gauges }) => !gauges.some((name) => shownByRows.includes(name)));
  const shown = new Set([...shownByRows, ...kind.shares.flatMap(({ gauges }) => gauges)]);
  const rest = kind.gauges.filter(({ name }) => !shown.has(name));
  return [
    ...shares.map((share) => ({ title: share.title, panels: panelsOf(kind, share) })),
    ...rest.length > 0 ? [{ title: 'Measures', panels: rest.map((gauge) => measured(kind, gauge)) }] : [],
    ...kind.rows.map(({ title, panels }) => ({ title, panels: panels.map((panel) => special(kind, panel, 24 / panels.length)) })),
  ];
}

/**
 * The gauges of a share, and how much of the whole is in use.
 * @param {Kind} kind
 * @param {Share} share
 */
function panelsOf(kind, { title, parts, whole, gauges }) {
  const drawn = kind.gauges.filter(({ name }) => gauges.includes(name));
  const panels = drawn.map((gauge) => series(kind, gauge, drawn.length > 1 ? gauge.title : title));
  if (!whole) return panels;
  const label = whole.label ? ` ignoring (${whole.label})` : '';
  const value = (/** @type {Series} */ { gauge, label, value }) =>
    selected(gauge, ...ofService(gauge, kind.service), ...label ? [`${label}="${value}"`] : []);
  const used = parts.map(value).join(` +${label} `);
  return [...panels, limited(lines({
    title: `${title}: share in use`, unit: units.PercentUnit,
    description: 'How much of the limit is in use. Empty where there is no limit.',
  }, [`max by (namespace) (${parts.length > 1 ? `(${used})` : used} /${label} (${value(whole)} > 0))`, '{{namespace}}'])
    .min(0).max(1), fullness)];
}

/**
 * The measures of the service that a variable chooses, whatever its kind. Old names are not of
 * such a service, nor are queries of a kind's own.
 * @param {Kind[]} kinds
 * @returns {import('./dashboard.js').Row[]}
 */
export function rowsOfAny(kinds) {
  const gauges = new Map(kinds.flatMap((kind) => kind.gauges).map((gauge) => [gauge.name, gauge]));
  const any = { service: '$service' };
  const panels = [...gauges.values()].filter(({ name }) => ofService(name, '').length > 0)
    .map((gauge) => measured(any, gauge));
  return panels.length > 0 ? [{ title: 'Measures of its kind', panels }] : [];
}

/**
 * The panel of a gauge that is drawn alone.
 * @param {{ service: string }} kind
 * @param {Gauge} gauge
 */
function measured(kind, gauge) {
  return gauge.unit === 'time' ? timeLeft(kind, gauge) : series(kind, gauge, gauge.title);
}

/**
 * What a gauge was in the Pod in which it was highest: of most, all Pods of a namespace see
 * the same value, the server's.
 * @param {{ service: string }} kind
 * @param {Gauge} gauge
 * @param {string} title
 */
function series({ service }, { name, help, unit, label }, title) {
  const labels = ['namespace', ...label ? [label] : []];
  const legend = labels.map((l) => `{{${l}}}`).join(' ');
  return lines({ title, unit: unitOf(unit), description: `${help} The highest that a Pod of the namespace reports.` },
    [`max by (${labels.join(', ')}) (${selected(name, ...ofService(name, service))})`, legend]).min(0);
}

/**
 * How long it is until a moment, in the Pod in which that is shortest.
 * @param {{ service: string }} kind
 * @param {Gauge} gauge
 */
function timeLeft({ service }, { name, help, title }) {
  return lines({ title: `${title}: time left`, unit: units.Seconds, description: `How long it is until then. ${help} The shortest that a Pod of the namespace reports.` },
    [`min by (namespace) (${selected(name, ...ofService(name, service))}) - time()`, '{{namespace}}']);
}

/** @param {string} unit */
function unitOf(unit) {
  return { bytes: units.BytesIEC, flag: units.BoolYesNo }[unit] ?? units.Short;
}

/**
 * @param {Kind} kind
 * @param {Panel} panel
 * @param {number} width
 */
function special(kind, { title, description, form, queries, labels = [], value = '' }, width) {
  const about = { title, description, unit: units.Short, width };
  const asked = queries.map(({ expr, legend }) => /** @type {[string, string?]} */ ([narrowed(kind, expr), legend]));
  switch (form) {
    case 'stacked': return stacked(lines(about, ...asked)).min(0);
    case 'table': return table(about, asked[0][0], labels, value);
    default: throw new Error(`${kind.service}: ${title}: there is no form ${form}`);
  }
}

/**
 * A query of a kind's for the Pods that the dashboard's variables choose.
 * @param {Kind} kind
 * @param {string} expr
 */
function narrowed({ service, gauges }, expr) {
  return gauges.reduce((text, { name }) => text.replace(mentions(name),
    (_, matchers) => selected(name, ...ofService(name, service), ...matchers ? [matchers] : [])), expr);
}

/** @param {string} name of a metric */
function mentions(name) {
  return new RegExp(`\\b${name}\\b(?:\\{([^}]*)\\})?`, 'g');
}
