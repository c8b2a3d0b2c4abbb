-- What the catalog says of the tables $1 and the functions $2, as one JSON object in
-- the form of the type Database. It needs no right but to connect. The texts name no
-- schema, so that they are the same whichever one the tables are in.
WITH tables AS (
    SELECT c.oid, quote_ident(c.relname) AS name, quote_ident(n.nspname) AS schema,
           format(' ON %I.%I ', n.nspname, c.relname) AS qualified, format(' ON %I ', c.relname) AS bare
      FROM unnest($1::text[]) AS wanted (name)
      JOIN pg_class c ON c.oid = to_regclass(wanted.name)
      JOIN pg_namespace n ON n.oid = c.relnamespace
), columns AS (
    SELECT t.name AS "table", quote_ident(a.attname) AS name, a.attnum AS position,
           format_type(a.atttypid, a.atttypmod) AS type,
           a.attnotnull AND NOT EXISTS ( -- PostgreSQL 18 has NOT NULL that is NOT VALID
               SELECT FROM pg_constraint k
                WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND NOT k.convalidated
                  AND a.attnum = ANY (k.conkey)) AS not_null,
           coalesce(pg_get_expr(d.adbin, d.adrelid), '') AS "default"
      FROM tables t
      JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
), indexes AS ( -- the index of a constraint is the constraint's
    SELECT t.name AS "table", quote_ident(c.relname) AS name,
           -- Storage parameters are the owner's.
           CASE WHEN c.reloptions IS NULL THEN d.definition
                ELSE regexp_replace(d.definition, ' WITH [(][^()]*[)]', '') END AS definition,
           i.indisvalid AND i.indisready AND i.indislive AS valid
      FROM tables t
      JOIN pg_index i ON i.indrelid = t.oid
      JOIN pg_class c ON c.oid = i.indexrelid
      CROSS JOIN LATERAL (SELECT replace(pg_get_indexdef(c.oid), t.qualified, t.bare) AS definition) d
     WHERE NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.conrelid = t.oid)
), constraints AS ( -- without those that PostgreSQL 18 adds for NOT NULL
    SELECT t.name AS "table", quote_ident(k.conname) AS name, k.contype = 'p' AS "primary",
           regexp_replace(pg_get_constraintdef(k.oid), ' NOT VALID$', '') AS definition,
           k.convalidated AS valid
      FROM tables t
      JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype IN ('c', 'f', 'p', 'u', 'x')
), triggers AS (
    SELECT t.name AS "table", quote_ident(g.tgname) AS name,
           replace(pg_get_triggerdef(g.oid), t.qualified, t.bare) AS definition,
           g.tgenabled IN ('O', 'A') AS enabled, g.tgenabled = 'A' AS always
      FROM tables t
      JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
), functions AS (
    SELECT wanted.name,
           replace(pg_get_functiondef(p.oid), format('%I.%I(', n.nspname, p.proname), format('%I(', p.proname)) AS definition
      FROM unnest($2::text[]) AS wanted (name)
      JOIN pg_proc p ON p.oid = to_regprocedure(wanted.name)
      JOIN pg_namespace n ON n.oid = p.pronamespace
)
SELECT json_build_object(
    'server', 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1),
    'schema', coalesce((SELECT min(schema) FROM tables), ''),
    'versioned', to_regclass('goose_db_version') IS NOT NULL,
    -- A table that is missing or forbidden fails a statement that names it, even
    -- where CASE would not get there.
    'versions', CASE WHEN has_table_privilege(to_regclass('goose_db_version'), 'select')
                     THEN to_json(xpath('//v/text()', query_to_xml($q$
                          SELECT version_id AS v
                            FROM (SELECT DISTINCT ON (version_id) version_id::bigint, is_applied::bool FROM goose_db_version g
                                   -- The newest row counts; what is not of goose itself may have no id.
                                   ORDER BY version_id, (to_jsonb(g) ->> 'id')::bigint DESC NULLS LAST, is_applied DESC) latest
                           WHERE is_applied AND version_id > 0$q$, true, false, ''))::text[]::bigint[]) END,
    'columns', (SELECT coalesce(json_agg(to_jsonb(o) - 'position' ORDER BY "table", position), '[]') FROM columns o),
    'indexes', (SELECT coalesce(json_agg(o ORDER BY "table", name), '[]') FROM indexes o),
    'constraints', (SELECT coalesce(json_agg(o ORDER BY "table", name), '[]') FROM constraints o),
    'triggers', (SELECT coalesce(json_agg(o ORDER BY "table", name), '[]') FROM triggers o),
    'functions', (SELECT coalesce(json_agg(o ORDER BY name), '[]') FROM functions o))
