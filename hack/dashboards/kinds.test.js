import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rowsOf } from './kinds.js';
import { serviceDashboard } from './service.js';

const gauge = { help: 'Help.', unit: 'bytes' };

/** @type {import('./kinds.js').Kind} */
const mail = {
  service: 'mail', title: 'Mail', faults: ['slow', 'greylisted'],
  gauges: [
    { ...gauge, name: 'mail_size', title: 'Largest message' },
    { ...gauge, name: 'mail_queue', title: 'Queue', label: 'kind' },
    { ...gauge, name: 'mail_clients', title: 'Clients' },
    { ...gauge, name: 'mail_key_end', title: 'Key valid until', unit: 'time' },
  ],
  shares: [{
    title: 'The queue', gauges: ['mail_queue'],
    parts: [{ gauge: 'mail_queue', label: 'kind', value: 'new' }, { gauge: 'mail_queue', label: 'kind', value: 'old' }],
    whole: { gauge: 'mail_queue', label: 'kind', value: 'max' },
  }],
  rows: [{
    title: 'Clients', panels: [{
      title: 'Clients by Pod', description: 'All of them.', form: 'table', labels: ['pod'], value: 'clients',
      queries: [{ expr: 'topk(3, mail_clients{kind="x"} + mail_clients)' }],
    }],
  }],
};

/** @param {import('./kinds.js').Kind} kind */
function queries(kind) {
  const { model } = serviceDashboard(kind);
  return (model.panels ?? []).flatMap((panel) => 'targets' in panel ? [[panel.title, ...(panel.targets ?? []).map((t) => /** @type {any} */ (t).expr)]] : []);
}

test('a kind has a dashboard of all that it measures', () => {
  const chosen = 'namespace=~"$namespace", pod=~"$pod"';
  assert.deepEqual(rowsOf(mail).map(({ title }) => title), ['The queue', 'Measures', 'Clients']);
  assert.deepEqual(queries(mail).slice(-5), [
    ['The queue', `max by (namespace, kind) (mail_queue{${chosen}})`],
    ['The queue: share in use', `max by (namespace) ((mail_queue{${chosen}, kind="new"} + ignoring (kind) mail_queue{${chosen}, kind="old"}) / ignoring (kind) (mail_queue{${chosen}, kind="max"} > 0))`],
    ['Largest message', `max by (namespace) (mail_size{${chosen}})`],
    ['Key valid until: time left', `min by (namespace) (mail_key_end{${chosen}, service="mail"}) - time()`],
    ['Clients by Pod', `topk(3, mail_clients{${chosen}, kind="x"} + mail_clients{${chosen}})`],
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
