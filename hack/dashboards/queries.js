// Every query must be PromQL before it is written anywhere.
import { parser } from '@prometheus-io/lezer-promql';

/** What Grafana replaces before Prometheus sees a query, and something of the kind. */
const replaced = /** @type {[RegExp, string][]} */ ([
  [/\$__rate_interval/g, '5m'],
  [/\$(cluster|namespace|pod|service)/g, '.*'],
]);

/**
 * Throws on the first query of a dashboard that does not parse.
 * @param {{ name: string, model: import('@grafana/grafana-foundation-sdk/dashboard').Dashboard }} dashboard
 */
export function checkQueries({ name, model }) {
  for (const panel of model.panels ?? []) {
    if (!('targets' in panel)) continue;
    for (const target of panel.targets ?? []) check(`${name}: ${panel.title}`, 'expr' in target ? target.expr : '');
  }
  for (const annotation of model.annotations?.list ?? []) check(`${name}: ${annotation.name}`, annotation.expr);
}

/**
 * @param {string} where
 * @param {unknown} expr
 */
function check(where, expr) {
  const query = replaced.reduce((text, [from, to]) => text.replace(from, to), String(expr));
  const cursor = parser.parse(query).cursor();
  do {
    if (cursor.type.isError) {
      throw new Error(`${where}: no PromQL at character ${cursor.from}: ${query}`);
    }
  } while (cursor.next());
}
