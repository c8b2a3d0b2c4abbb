// The kinds of panels. Each has a title, a description and a unit, and asks the
// datasource that the dashboard's variable chooses.
import * as common from '@grafana/grafana-foundation-sdk/common';
import * as heatmaps from '@grafana/grafana-foundation-sdk/heatmap';
import { FieldColorBuilder, FieldColorModeId } from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as StateTimeline } from '@grafana/grafana-foundation-sdk/statetimeline';
import { PanelBuilder as Table } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as Timeseries } from '@grafana/grafana-foundation-sdk/timeseries';
import { colour, thresholds } from './status.js';

export const datasource = { type: 'prometheus', uid: '${datasource}' };

/**
 * @typedef {object} About what every panel says of itself
 * @property {string} title
 * @property {string} description what it shows, and what to make of it
 * @property {string} unit one of Grafana's
 * @property {number} [width] of 24
 * @property {number} [height]
 */

/** @typedef {[expr: string, legend?: string]} Query */

/**
 * @template {Stat | StateTimeline | Table | Timeseries | heatmaps.PanelBuilder} Panel
 * @param {Panel} panel
 * @param {About} about
 * @param {number} width
 * @param {number} height
 * @returns {Panel}
 */
function describe(panel, about, width, height) {
  panel.title(about.title).description(about.description).unit(about.unit).datasource(datasource);
  panel.span(about.width ?? width).height(about.height ?? height);
  return panel;
}

/**
 * @param {Query} query
 * @param {number} index
 */
function target([expr, legend = ''], index) {
  return new DataqueryBuilder().refId(String.fromCharCode(65 + index)).datasource(datasource)
    .expr(expr).legendFormat(legend);
}

/**
 * One figure, as of now.
 * @param {About} about
 * @param {Query} query
 */
export function stat(about, query) {
  return describe(new Stat(), about, 4, 4)
    .withTarget(target(query, 0).instant())
    .reduceOptions(new common.ReduceDataOptionsBuilder().calcs(['lastNotNull']))
    .thresholds(thresholds(colour.neutral)) // Grafana's own turn red at 80
    .colorMode(common.BigValueColorMode.Background)
    .graphMode(common.BigValueGraphMode.None);
}

/**
 * Lines over time.
 * @param {About} about
 * @param {Query[]} queries
 */
export function lines(about, ...queries) {
  return describe(new Timeseries(), about, 12, 8)
    .targets(queries.map((query, index) => target(query, index).range()))
    .legend(new common.VizLegendOptionsBuilder()
      .displayMode(common.LegendDisplayMode.Table).placement(common.LegendPlacement.Right)
      .showLegend(true).calcs(['lastNotNull', 'max']))
    .tooltip(new common.VizTooltipOptionsBuilder()
      .mode(common.TooltipDisplayMode.Multi).sort(common.SortOrder.Descending))
    .fillOpacity(5);
}

/**
 * Events over time: what happened around each point, added up. Points are not nearer than
 * two minutes: $__rate_interval spans four scrapes at least, so with nearer points one event
 * would show at several.
 * @param {About} about
 * @param {Query[]} queries
 */
export function bars(about, ...queries) {
  return stacked(lines(about, ...queries)).drawStyle(common.GraphDrawStyle.Bars).fillOpacity(80).min(0).interval('2m');
}

/**
 * Dashed lines where the colour changes.
 * @param {Timeseries} panel
 * @param {ReturnType<typeof thresholds>} steps
 */
export function limited(panel, steps) {
  const style = new common.GraphThresholdsStyleConfigBuilder().mode(common.GraphThresholdsStyleMode.Dashed);
  return panel.thresholds(steps).thresholdsStyle(style);
}

/** @param {Timeseries} panel */
export function stacked(panel) {
  return panel.stacking(new common.StackingConfigBuilder().mode(common.StackingMode.Normal)).fillOpacity(30);
}

/**
 * A state for each series over time, in the colours of its mappings.
 * @param {About} about
 * @param {Query} query
 * @param {ReturnType<typeof import('@grafana/grafana-foundation-sdk/dashboard').defaultValueMapping>[]} mappings
 */
export function timeline(about, query, mappings) {
  return describe(new StateTimeline(), about, 24, 8)
    .withTarget(target(query, 0).range())
    .mappings(mappings)
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.Thresholds))
    .mergeValues(true)
    .showValue(common.VisibilityMode.Never)
    .fillOpacity(80)
    .perPage(25);
}

/**
 * A histogram's buckets over time.
 * @param {About} about
 * @param {string} expr by le
 */
export function heatmap(about, expr) {
  return describe(new heatmaps.PanelBuilder(), about, 12, 8)
    .withTarget(target([expr, '{{le}}'], 0).range().format(PromQueryFormat.Heatmap))
    .calculate(false)
    .yAxis(new heatmaps.YAxisConfigBuilder().unit(about.unit))
    .color(new heatmaps.HeatmapColorOptionsBuilder()
      .mode(heatmaps.HeatmapColorMode.Scheme).scheme('Oranges').exponent(0.5).steps(64));
}

/**
 * Series as rows, as of now: a column a label, then the value.
 * @param {About} about
 * @param {string} expr
 * @param {string[]} labels the columns, in order
 * @param {string} value the name of the last column
 */
export function table(about, expr, labels, value) {
  const columns = [...labels, 'Value'];
  return describe(new Table(), about, 12, 8)
    .withTarget(target([expr], 0).instant().format(PromQueryFormat.Table))
    .withTransformation({
      id: 'organize',
      options: {
        excludeByName: { Time: true },
        indexByName: Object.fromEntries(columns.map((name, index) => [name, index])),
        renameByName: { Value: value },
      },
    })
    .sortBy([new common.TableSortByFieldStateBuilder().displayName(value).desc(true)])
    .filterable(true);
}

/**
 * Colour a table's values.
 * @param {Table} panel
 * @param {string} value the name of their column
 * @param {ReturnType<typeof thresholds>} steps
 */
export function graded(panel, value, steps) {
  return panel.thresholds(steps).overrideByName(value, [{ id: 'custom.cellOptions', value: { type: 'color-text' } }]);
}

/**
 * Give a series its colour by its name.
 * @template {Timeseries} Panel
 * @param {Panel} panel
 * @param {Record<string, string>} colours
 * @returns {Panel}
 */
export function coloured(panel, colours) {
  for (const [name, fixedColor] of Object.entries(colours)) {
    panel.overrideByName(name, [{ id: 'color', value: { mode: 'fixed', fixedColor } }]);
  }
  return panel;
}

/** The colours of a service's verdicts. */
export const verdicts = { healthy: colour.healthy, degraded: colour.degraded, unhealthy: colour.unhealthy };
