// What all dashboards have in common: identity, variables, links, annotations, rows.
import {
  AnnotationQueryBuilder, DashboardBuilder, DashboardCursorSync, DashboardLinkBuilder,
  DashboardLinkType, DatasourceVariableBuilder, QueryVariableBuilder, RowBuilder,
  VariableRefresh, VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { datasource, verdicts } from './panels.js';
import { increase } from './promql.js';

/** @typedef {Parameters<DashboardBuilder['withPanel']>[0] & { id(id: number): unknown }} Panel */
/** @typedef {{ title: string, panels: Panel[] }} Row */

const tag = 'reims-health';
const all = { text: 'All', value: '$__all', selected: true };

/**
 * @param {object} options
 * @param {string} options.name the end of the UID and of the file's name
 * @param {string} options.title
 * @param {string} options.description
 * @param {string[]} options.transitions matchers of the transitions to mark
 * @param {QueryVariableBuilder[]} [options.variables] further ones
 * @param {Row[]} options.rows
 */
export function dashboard({ name, title, description, transitions, variables = [], rows }) {
  const builder = new DashboardBuilder(`REIMS health / ${title}`)
    .uid(uidOf(name)).description(description).tags([tag]).editable()
    .time({ from: 'now-6h', to: 'now' }).refresh('30s').timezone('browser')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables([datasourceVariable(), labelVariable('cluster'), labelVariable('namespace', 'cluster=~"$cluster"'), labelVariable('pod', 'cluster=~"$cluster"', 'namespace=~"$namespace"'), ...variables])
    .annotations(Object.entries(verdicts).map(([to, color]) => transition(to, color, transitions)))
    .link(siblings());
  let id = 0;
  for (const row of rows) {
    const heading = new RowBuilder(row.title);
    heading.id(++id);
    builder.withRow(heading);
    for (const panel of row.panels) {
      panel.id(++id);
      builder.withPanel(panel);
    }
  }
  return { name, model: shown(builder.build()) };
}

/**
 * The SDK puts every link and annotation into the controls menu, where they are out of
 * sight; without a placement they are in the bar above the panels.
 * @param {import('@grafana/grafana-foundation-sdk/dashboard').Dashboard} model
 */
function shown(model) {
  for (const control of [...model.links ?? [], ...model.annotations?.list ?? []]) delete control.placement;
  return model;
}

/** @param {string} name */
export function uidOf(name) {
  return `${tag}-${name}`;
}

function datasourceVariable() {
  return new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus')
    .description('The Prometheus that scrapes the sidecars.');
}

/**
 * @param {string} label
 * @param {string[]} matchers
 */
function labelVariable(label, ...matchers) {
  const series = matchers.length ? `reims_health_up{${matchers.join(', ')}}` : 'reims_health_up';
  return new QueryVariableBuilder(label)
    .label(label[0].toUpperCase() + label.slice(1))
    .description(`Only the sidecars with this ${label}.`)
    .datasource(datasource)
    .query(`label_values(${series}, ${label})`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true).includeAll(true).allValue('.*').current(all);
}

/**
 * Chooses one service.
 * @param {string[]} others those that have a dashboard of their own
 */
export function serviceVariable(others) {
  return new QueryVariableBuilder('service').label('Service')
    .description('The service to show. Those with a dashboard of their own are left out.')
    .datasource(datasource)
    .query(`label_values(reims_health_up{cluster=~"$cluster", namespace=~"$namespace", service!~"${others.join('|')}"}, service)`)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc);
}

/**
 * Marks when a service's verdict changed, in the colour of the new one.
 * @param {string} to
 * @param {string} color
 * @param {string[]} matchers
 */
function transition(to, color, matchers) {
  const changes = increase('reims_health_transitions_total', `to="${to}"`, ...matchers);
  return new AnnotationQueryBuilder()
    .name(`Turned ${to}`).datasource(datasource).enable(true).iconColor(color)
    .expr(`sum by (namespace, service, to) (${changes}) > 0`)
    .titleFormat('{{service}} turned {{to}}').textFormat('{{namespace}}').tagKeys('service,to');
}

function siblings() {
  return new DashboardLinkBuilder('REIMS health').type(DashboardLinkType.Dashboards).tags([tag])
    .asDropdown(true).includeVars(true).keepTime(true)
    .tooltip('The other dashboards, with the same selection');
}
