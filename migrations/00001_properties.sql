-- The properties table. Its names are fixed: dashboards and queries use them.

-- +goose Up
CREATE TABLE properties (
    id                     uuid          DEFAULT gen_random_uuid() NOT NULL,
    name                   varchar(255)  NOT NULL,
    description            text,
    address                text          NOT NULL,
    city                   varchar(100)  NOT NULL,
    state                  varchar(50)   NOT NULL,
    zip_code               varchar(20),
    latitude               numeric(10,8),
    longitude              numeric(11,8),
    total_sqft             numeric(12,2),
    year_built             integer,
    property_type          varchar(50),
    property_class         varchar(20),
    total_units            integer,
    occupied_units         integer,
    acquisition_cost       numeric(15,2),
    current_value          numeric(15,2),
    estimated_market_value numeric(15,2),
    loan_balance           numeric(15,2),
    original_loan_amount   numeric(15,2),
    interest_rate          numeric(5,3),
    dscr                   numeric(4,2),
    annual_noi             numeric(15,2),
    annual_revenue         numeric(15,2),
    occupancy_rate         numeric(5,2),
    acquisition_date       date,
    last_appraised_date    date,
    loan_maturity_date     date,
    status                 varchar(20)   DEFAULT 'active' NOT NULL,
    has_active_alerts      boolean       DEFAULT false NOT NULL,
    created_at             timestamptz   DEFAULT now() NOT NULL,
    updated_at             timestamptz   DEFAULT now() NOT NULL,
    created_by             uuid,
    updated_by             uuid,
    CONSTRAINT properties_pkey PRIMARY KEY (id),
    CONSTRAINT chk_occupancy_rate CHECK (occupancy_rate BETWEEN 0 AND 100),
    CONSTRAINT chk_sqft_positive CHECK (total_sqft > 0),
    CONSTRAINT chk_acquisition_before_current CHECK (acquisition_date <= CURRENT_DATE),
    CONSTRAINT chk_year_built_reasonable CHECK (year_built BETWEEN 1800 AND EXTRACT(year FROM CURRENT_DATE) + 5),
    CONSTRAINT chk_occupied_within_total CHECK (occupied_units <= total_units),
    CONSTRAINT chk_valid_status CHECK (status IN ('active', 'sold', 'under_renovation', 'pending_sale', 'inactive')),
    CONSTRAINT chk_valid_property_type CHECK (property_type IN ('office', 'retail', 'mixed-use', 'industrial', 'residential', 'warehouse')),
    CONSTRAINT chk_valid_property_class CHECK (property_class IN ('A', 'B', 'C', 'D'))
);

CREATE INDEX idx_properties_status ON properties (status);
CREATE INDEX idx_properties_city_state ON properties (city, state);
CREATE INDEX idx_properties_property_type ON properties (property_type);
CREATE INDEX idx_properties_occupancy_rate ON properties (occupancy_rate DESC);
CREATE INDEX idx_properties_created_at ON properties (created_at DESC);
CREATE INDEX idx_properties_has_alerts ON properties (has_active_alerts) WHERE has_active_alerts;
CREATE INDEX idx_properties_current_value ON properties (current_value DESC);
CREATE INDEX idx_properties_coordinates ON properties (latitude, longitude) WHERE latitude IS NOT NULL AND longitude IS NOT NULL;
CREATE INDEX idx_properties_class ON properties (property_class);

-- +goose StatementBegin
CREATE OR REPLACE FUNCTION update_properties_updated_at() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = now();
    RETURN NEW;
END
$$;
-- +goose StatementEnd

CREATE TRIGGER trg_properties_updated_at BEFORE UPDATE ON properties
    FOR EACH ROW EXECUTE FUNCTION update_properties_updated_at();

COMMENT ON FUNCTION update_properties_updated_at() IS 'Sets updated_at to the start of the transaction; runs before each update of a property.';
COMMENT ON TABLE properties IS 'Commercial properties, one a row. Areas are in square feet, money is in US dollars, rates are in percent, times have a time zone.';
COMMENT ON COLUMN properties.id IS 'Identifier, made by the database where none is given.';
COMMENT ON COLUMN properties.name IS 'Name of the property.';
COMMENT ON COLUMN properties.description IS 'Description, free text.';
COMMENT ON COLUMN properties.address IS 'Street address.';
COMMENT ON COLUMN properties.city IS 'City.';
COMMENT ON COLUMN properties.state IS 'State.';
COMMENT ON COLUMN properties.zip_code IS 'ZIP code.';
COMMENT ON COLUMN properties.latitude IS 'Latitude, degrees, north positive.';
COMMENT ON COLUMN properties.longitude IS 'Longitude, degrees, east positive.';
COMMENT ON COLUMN properties.total_sqft IS 'Total area, square feet; above 0.';
COMMENT ON COLUMN properties.year_built IS 'Year of construction; 1800 to five years from now.';
COMMENT ON COLUMN properties.property_type IS 'Type: office, retail, mixed-use, industrial, residential or warehouse.';
COMMENT ON COLUMN properties.property_class IS 'Class: A, B, C or D.';
COMMENT ON COLUMN properties.total_units IS 'Number of units.';
COMMENT ON COLUMN properties.occupied_units IS 'Number of occupied units; at most total_units.';
COMMENT ON COLUMN properties.acquisition_cost IS 'Acquisition cost, US dollars.';
COMMENT ON COLUMN properties.current_value IS 'Current value, US dollars.';
COMMENT ON COLUMN properties.estimated_market_value IS 'Estimated market value, US dollars.';
COMMENT ON COLUMN properties.loan_balance IS 'Loan balance, US dollars.';
COMMENT ON COLUMN properties.original_loan_amount IS 'Original amount of the loan, US dollars.';
COMMENT ON COLUMN properties.interest_rate IS 'Interest rate of the loan, percent a year.';
COMMENT ON COLUMN properties.dscr IS 'Debt service coverage ratio: net operating income divided by debt service.';
COMMENT ON COLUMN properties.annual_noi IS 'Annual net operating income, US dollars.';
COMMENT ON COLUMN properties.annual_revenue IS 'Annual revenue, US dollars.';
COMMENT ON COLUMN properties.occupancy_rate IS 'Occupancy rate, percent; 0 to 100.';
COMMENT ON COLUMN properties.acquisition_date IS 'Date of acquisition; not in the future.';
COMMENT ON COLUMN properties.last_appraised_date IS 'Date of the last appraisal.';
COMMENT ON COLUMN properties.loan_maturity_date IS 'Date on which the loan is due.';
COMMENT ON COLUMN properties.status IS 'Status: active, sold, under_renovation, pending_sale or inactive.';
COMMENT ON COLUMN properties.has_active_alerts IS 'Whether an alert is active.';
COMMENT ON COLUMN properties.created_at IS 'When the row was made.';
COMMENT ON COLUMN properties.updated_at IS 'When the row was last changed; set by a trigger.';
COMMENT ON COLUMN properties.created_by IS 'Identifier of the user who made the row.';
COMMENT ON COLUMN properties.updated_by IS 'Identifier of the user who last changed the row.';

-- +goose Down
DROP TABLE properties;
DROP FUNCTION update_properties_updated_at();
