import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rowsOf } from './kinds.js';
import { anyService, serviceDashboard } from './service.js';

const gauge = { help: 'Help.', unit: 'bytes' };

/** @type {import('./kinds.js').Kind} */
const mail = {
  service: 'mail', title: 'Mail', faults: ['slow', 'greylisted'],
  gauges: [
    { ...gauge, name: 'mail_size', title: 'Largest message' },
    { ...gauge, name: 'mail_queue', title: 'Queue', label: 'kind' },
    { ...gauge, name: 'reims_health_mail_clients', title: 'Clients' },
    { ...gauge, name: 'reims_health_mail_key_end', title: 'Key valid until', unit: 'time' },
  ],
  shares: [{
    title: 'The queue', gauges: ['mail_queue'],
    parts: [{ gauge: 'mail_queue', label: 'kind', value: 'new' }, { gauge: 'mail_queue', label: 'kind', value: 'old' }],
    whole: { gauge: 'mail_queue', label: 'kind', value: 'max' },
  }],
  rows: [{
    title: 'Clients', panels: [{
      title: 'Clients by Pod', description: 'All of them.', form: 'table', labels: ['pod'], value: 'clients',
      queries: [{ expr: 'topk(3, reims_health_mail_clients{kind="x"} + reims_health_mail_clients)' }],
    }],
  }],
};

/** @param {import('./kinds.js').Kind} kind */
function queries(kind) {
  const { model } = serviceDashboard(kind);
  return (model.panels ?? []).flatMap((panel) => 'targets' in panel ? [[panel.title, ...(panel.targets ?? []).map((t) => /** @type {any} */ (t).expr)]] : []);
}

test('a kind has a dashboard of all that it measures', () => {
  const chosen = 'cluster=~"$cluster", namespace=~"$namespace", pod=~"$pod"';
  assert.deepEqual(rowsOf(mail).map(({ title }) => title), ['The queue', 'Measures', 'Clients']);
  assert.deepEqual(queries(mail).slice(-5), [
    ['The queue', `max by (namespace, kind) (mail_queue{${chosen}})`],
    ['The queue: share in use', `max by (namespace) ((mail_queue{${chosen}, kind="new"} + ignoring (kind) mail_queue{${chosen}, kind="old"}) / ignoring (kind) (mail_queue{${chosen}, kind="max"} > 0))`],
    ['Largest message', `max by (namespace) (mail_size{${chosen}})`],
    ['Key valid until: time left', `min by (namespace) (reims_health_mail_key_end{${chosen}, service="mail"}) - time()`],
    ['Clients by Pod', `topk(3, reims_health_mail_clients{${chosen}, service="mail", kind="x"} + reims_health_mail_clients{${chosen}, service="mail"})`],
  ]);
});

test('a second service of a kind does not add up with the first', () => {
  const size = { ...gauge, name: 'reims_health_mail_size', title: 'Size', label: 'kind' };
  const part = { gauge: size.name, label: 'kind', value: 'used' };
  const shares = [{ title: 'Size', gauges: [size.name], parts: [part], whole: { ...part, value: 'max' } }];
  const found = queries({ ...mail, gauges: [size], shares, rows: [] }).filter(([title]) => title.startsWith('Size'));
  assert.equal(found.length, 2);
  for (const [title, query] of found) {
    assert.equal(query.match(/reims_health_mail_size\{[^}]*service="mail"/g)?.length, query.match(/reims_health_mail_size/g)?.length, title);
  }
});

test('the dashboard of any service has the measures of all kinds, by the variable', () => {
  const other = { ...mail, service: '', gauges: [{ ...gauge, name: 'reims_health_age', title: 'Age' }], shares: [], rows: [] };
  const { model } = anyService([mail, other]);
  const found = (model.panels ?? []).flatMap((panel) => 'targets' in panel ? (panel.targets ?? []).map((t) => /** @type {any} */ (t).expr) : []);
  assert.ok(found.every((query) => query.includes('service="$service"')));
  const chosen = '{cluster=~"$cluster", namespace=~"$namespace", pod=~"$pod", service="$service"}';
  assert.deepEqual(found.slice(-3), [
    `max by (namespace) (reims_health_mail_clients${chosen})`, `min by (namespace) (reims_health_mail_key_end${chosen}) - time()`,
    `max by (namespace) (reims_health_age${chosen})`,
  ]);
});

test('a share that the rows of the kind show is not drawn twice', () => {
  const rows = [{ title: 'Own', panels: [{ title: 'Queue', description: 'It.', form: 'stacked', queries: [{ expr: 'sum(mail_queue)', legend: 'all' }] }] }];
  assert.deepEqual(rowsOf({ ...mail, rows }).map(({ title }) => title), ['Measures', 'Own']);
});

test('a form that there is not is named', () => {
  const rows = [{ title: 'Own', panels: [{ title: 'Queue', description: 'It.', form: 'pie', queries: [] }] }];
  assert.throws(() => rowsOf({ ...mail, rows }), /mail: Queue: there is no form pie/);
});
