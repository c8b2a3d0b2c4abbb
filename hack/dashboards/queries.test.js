import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dashboard } from './dashboard.js';
import { stat } from './panels.js';
import { checkQueries } from './queries.js';

/** @param {string} expr */
function withQuery(expr) {
  const panel = stat({ title: 'Broken', description: 'A panel.', unit: 'short' }, [expr]);
  return dashboard({ name: 'n', title: 't', description: 'd', transitions: [], rows: [{ title: 'r', panels: [panel] }] });
}

test('a query that is no PromQL is named', () => {
  assert.throws(() => checkQueries(withQuery('sum(rate(up[$__rate_interval])')), /n: Broken: no PromQL/);
});

test('variables of Grafana are no errors', () => {
  checkQueries(withQuery('sum(rate(up{namespace=~"$namespace"}[$__rate_interval]))'));
});
