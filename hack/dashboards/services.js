// The services that have a dashboard, and the panels that only they have.
import * as units from '@grafana/grafana-foundation-sdk/units';
import { limited, lines, stacked, table } from './panels.js';
import { selected } from './promql.js';
import { fullness } from './status.js';

/** @returns {import('./service.js').Service[]} */
export function services() {
  return [
    {
      name: 'database', title: 'Database',
      faults: 'slow, or with an outdated schema',
      rows: [serverConnections(), connectionHolders(), schema()],
    },
    {
      name: 'redis', title: 'Redis',
      faults: 'slow, out of memory, or read-only',
      rows: [memory()],
    },
    { name: 'minio', title: 'MinIO', faults: 'slow, or without a bucket that must be there' },
    { name: 'ollama', title: 'Ollama', faults: 'slow, without a model that must be there, or failing its inference' },
  ];
}

function serverConnections() {
  const server = 'reims_health_db_connections';
  return {
    title: 'Connections of the server',
    panels: [
      lines({
        title: 'Connections, everybody\'s', unit: units.Short,
        description: 'Connections to the PostgreSQL server, and how many it allows. All Pods of a namespace see the same ones.',
      }, [`max by (namespace, kind) (${selected(server)})`, '{{namespace}} {{kind}}']).min(0),
      limited(lines({
        title: 'Share in use', unit: units.PercentUnit,
        description: 'How near the server is to refusing connections.',
      }, [`max by (namespace) (${selected(server, 'kind="used"')} / ignoring (kind) ${selected(server, 'kind="max"')})`, '{{namespace}}'])
        .min(0).max(1), fullness),
    ],
  };
}

function connectionHolders() {
  const api = selected('reims_health_app_db_connections');
  return {
    title: 'Connections of the API and of the sidecar',
    panels: [
      stacked(lines({
        title: 'API\'s connections by state', unit: units.Short, width: 8,
        description: 'Connections that the APIs in these Pods hold, sampled every 30 s. Many idle in transaction block vacuum and locks.',
      }, [`sum by (state) (${api})`, '{{state}}'])).min(0),
      table({
        title: 'API\'s connections by Pod', unit: units.Short, width: 8,
        description: 'The ten Pods whose API holds most. At its pool\'s size it waits for connections.',
      }, `topk(10, sum by (namespace, pod) (${api}))`, ['namespace', 'pod'], 'connections'),
      stacked(lines({
        title: 'Sidecars\' own pools', unit: units.Short, width: 8,
        description: 'What the checks themselves cost the server: one or two connections a Pod, all sidecars added up.',
      }, [`sum(${selected('db_pool_active')})`, 'active'], [`sum(${selected('db_pool_free')})`, 'free'])).min(0),
    ],
  };
}

function schema() {
  const version = selected('reims_health_schema_version');
  return {
    title: 'Schema',
    panels: [
      table({
        title: 'Schema versions', unit: units.Short, width: 24, height: 6,
        description: 'Versions of the schema that Pods find (current) and need (required), and how many Pods. Empty where no version is required.',
      }, `count_values by (namespace, kind) ("version", ${version})`, ['namespace', 'kind', 'version'], 'Pods'),
    ],
  };
}

function memory() {
  const bytes = 'reims_health_redis_memory_bytes';
  const limit = `(${selected(bytes, 'kind="max"')} > 0)`;
  return {
    title: 'Memory',
    panels: [
      lines({
        title: 'Memory of Redis', unit: units.BytesIEC,
        description: 'Used, the most ever used (peak), and maxmemory (max), where 0 is no limit.',
      }, [`max by (namespace, kind) (${selected(bytes)})`, '{{namespace}} {{kind}}']).min(0),
      limited(lines({
        title: 'Share in use', unit: units.PercentUnit,
        description: 'How near Redis is to its maxmemory. Empty where it has none.',
      }, [`max by (namespace) (${selected(bytes, 'kind="used"')} / ignoring (kind) ${limit})`, '{{namespace}}'])
        .min(0).max(1), fullness),
    ],
  };
}
