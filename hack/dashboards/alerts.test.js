import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { alertRules } from './alerts.js';

/**
 * The only rule of the provisioning file for a rule file with this text.
 * @param {import('node:test').TestContext} t
 * @param {string} text
 */
function converted(t, text) {
  const dir = mkdtempSync(join(tmpdir(), 'rules-'));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, 'rules.yaml'), text);
  return parse(alertRules(dir)).groups[0].rules[0];
}

test('templates survive the way through Grafana', (t) => {
  const rule = converted(t, `
groups:
  - name: g
    rules:
      - record: left:out
        expr: vector(1)
      - alert: ReimsHealthDown
        expr: up == 0
        keep_firing_for: 2m
        labels: {severity: critical, where: '{{ $labels.pod }}'}
        annotations: {summary: '{{ $labels.pod }}: {{ $value | humanize }} of {{ $valueless }}'}
`);
  assert.equal(rule.labels.where, '{{ $$labels.pod }}');
  assert.equal(rule.annotations.summary, '{{ $labels.pod }}: {{ $values.query.Value | humanize }} of {{ $valueless }}');
  assert.equal(rule.keepFiringFor, '2m');
  assert.equal(rule.for, '0s');
  assert.equal(rule.uid, 'reims-down-critical');
});

test('a UID that Grafana would refuse is refused here', (t) => {
  const text = `{groups: [{name: g, rules: [{alert: ReimsHealth${'Long'.repeat(12)}, expr: up}]}]}`;
  assert.throws(() => converted(t, text), /no UID for Grafana/);
});

test('rules that alert of nothing are an error', (t) => {
  assert.throws(() => converted(t, '{groups: [{name: g, rules: [{record: a:b, expr: up}]}]}'), /no alert rules/);
});
