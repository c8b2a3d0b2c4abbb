-- One scan for all four, under a lock that lets reads and writes go on.

-- +goose Up
ALTER TABLE properties
    VALIDATE CONSTRAINT chk_total_units_not_negative,
    VALIDATE CONSTRAINT chk_occupied_units_not_negative,
    VALIDATE CONSTRAINT chk_latitude_range,
    VALIDATE CONSTRAINT chk_longitude_range;

-- +goose Down
-- PostgreSQL cannot take a validation back.
ALTER TABLE properties
    DROP CONSTRAINT chk_total_units_not_negative,
    DROP CONSTRAINT chk_occupied_units_not_negative,
    DROP CONSTRAINT chk_latitude_range,
    DROP CONSTRAINT chk_longitude_range,
    ADD CONSTRAINT chk_total_units_not_negative CHECK (total_units >= 0) NOT VALID,
    ADD CONSTRAINT chk_occupied_units_not_negative CHECK (occupied_units >= 0) NOT VALID,
    ADD CONSTRAINT chk_latitude_range CHECK (latitude BETWEEN -90 AND 90) NOT VALID,
    ADD CONSTRAINT chk_longitude_range CHECK (longitude BETWEEN -180 AND 180) NOT VALID;
