// Generates config/grafana from the sources beside this file, from kinds.json and from the
// alert rules in config/prometheus. `node main.js` writes, `node main.js --check` only names what is
// out of date and exits with 1 if there is anything.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { alertRules } from './alerts.js';
import { overview } from './overview.js';
import { checkQueries } from './queries.js';
import { withTables } from './reference.js';
import { anyService, serviceDashboard } from './service.js';

const root = join(import.meta.dirname, '..', '..');
const rules = join(root, 'config', 'prometheus', 'rules');
const dashboardsDir = join(root, 'config', 'grafana', 'dashboards');
const page = join(root, 'docs', 'dashboards.md');
const kindsFile = join(import.meta.dirname, 'kinds.json');

/** Every generated file with its text. */
function outputs() {
  /** @type {import('./kinds.js').Kind[]} */
  const kinds = JSON.parse(readFileSync(kindsFile, 'utf8'));
  const own = kinds.filter(({ service }) => service);
  const dashboards = [overview(own), ...own.map(serviceDashboard), anyService(kinds)];
  dashboards.forEach(checkQueries);
  return new Map([
    ...dashboards.map(({ name, model }) => /** @type {[string, string]} */ ([join(dashboardsDir, `${name}.json`), json(model)])),
    [join(root, 'config', 'grafana', 'provisioning', 'alerting', 'rules.yaml'), alertRules(rules)],
    [page, withTables(readFileSync(page, 'utf8'), dashboards)],
  ]);
}

/**
 * JSON with sorted keys, so that a difference is a difference.
 * @param {unknown} value
 */
function json(value) {
  const sorted = (/** @type {string} */ _, /** @type {unknown} */ v) =>
    v && typeof v === 'object' && !Array.isArray(v) ? Object.fromEntries(Object.entries(v).sort()) : v;
  return JSON.stringify(value, sorted, 2) + '\n';
}

/**
 * Dashboards that nothing generates any more.
 * @param {Map<string, string>} wanted
 */
function leftOver(wanted) {
  if (!existsSync(dashboardsDir)) return [];
  return readdirSync(dashboardsDir).map((name) => join(dashboardsDir, name)).filter((path) => !wanted.has(path));
}

function main() {
  const { values } = parseArgs({ options: { check: { type: 'boolean', default: false } } });
  const wanted = outputs();
  const stale = [...wanted].filter(([path, text]) => !existsSync(path) || readFileSync(path, 'utf8') !== text);
  const dead = leftOver(wanted);
  for (const path of [...stale.map(([path]) => path), ...dead]) console.log(relative(root, path));
  if (values.check) {
    process.exitCode = stale.length + dead.length > 0 ? 1 : 0;
    return;
  }
  for (const [path, text] of stale) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
  dead.forEach((path) => rmSync(path));
}

main();
