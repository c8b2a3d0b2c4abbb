-- A migration that no database lets pass.

-- +goose Up
ALTER TABLE properties ADD COLUMN e2e_mark text;
ALTER TABLE no_such_table ADD COLUMN e2e_mark text;

-- +goose Down
ALTER TABLE properties DROP COLUMN e2e_mark;
