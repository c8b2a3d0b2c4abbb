-- What a release would do to expand the schema.

-- +goose Up
ALTER TABLE properties ADD COLUMN e2e_note text;

-- +goose Down
ALTER TABLE properties DROP COLUMN e2e_note;
