-- Negative unit counts and impossible coordinates were accepted. The checks are
-- added NOT VALID here, which scans nothing under the exclusive lock, and validated
-- in a transaction of their own. They are there already where the table of versions
-- was lost and the database adopted again.

-- +goose Up
-- +goose StatementBegin
DO $$
DECLARE
    broken text;
BEGIN
    -- Counted before the exclusive lock is asked for.
    SELECT string_agg(format('%s %s %s (%s)', n, CASE n WHEN 1 THEN 'row breaks' ELSE 'rows break' END, rule, meaning), '; ' ORDER BY rule)
      INTO broken
      FROM (SELECT count(*) FILTER (WHERE total_units < 0) AS total,
                   count(*) FILTER (WHERE occupied_units < 0) AS occupied,
                   count(*) FILTER (WHERE latitude NOT BETWEEN -90 AND 90) AS latitude,
                   count(*) FILTER (WHERE longitude NOT BETWEEN -180 AND 180) AS longitude
              FROM properties) AS counted,
           LATERAL (VALUES (total, 'chk_total_units_not_negative', 'total_units >= 0'),
                           (occupied, 'chk_occupied_units_not_negative', 'occupied_units >= 0'),
                           (latitude, 'chk_latitude_range', 'latitude from -90 to 90'),
                           (longitude, 'chk_longitude_range', 'longitude from -180 to 180')
           ) AS rules (n, rule, meaning)
     WHERE n > 0;
    IF broken IS NOT NULL THEN
        RAISE EXCEPTION 'properties: %', broken
            USING ERRCODE = 'check_violation',
                  HINT = 'Correct these rows, or set the value to NULL where it is not known, and run the migration again. Nothing was changed.';
    END IF;
END
$$;
-- +goose StatementEnd

ALTER TABLE properties
    DROP CONSTRAINT IF EXISTS chk_total_units_not_negative,
    DROP CONSTRAINT IF EXISTS chk_occupied_units_not_negative,
    DROP CONSTRAINT IF EXISTS chk_latitude_range,
    DROP CONSTRAINT IF EXISTS chk_longitude_range,
    ADD CONSTRAINT chk_total_units_not_negative CHECK (total_units >= 0) NOT VALID,
    ADD CONSTRAINT chk_occupied_units_not_negative CHECK (occupied_units >= 0) NOT VALID,
    ADD CONSTRAINT chk_latitude_range CHECK (latitude BETWEEN -90 AND 90) NOT VALID,
    ADD CONSTRAINT chk_longitude_range CHECK (longitude BETWEEN -180 AND 180) NOT VALID;

-- +goose Down
ALTER TABLE properties
    DROP CONSTRAINT chk_total_units_not_negative,
    DROP CONSTRAINT chk_occupied_units_not_negative,
    DROP CONSTRAINT chk_latitude_range,
    DROP CONSTRAINT chk_longitude_range;
