-- Made by Alembic, with the names that its conventions give.
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL, CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num));
CREATE TABLE properties (
    id UUID DEFAULT gen_random_uuid() NOT NULL,
    name VARCHAR(255) NOT NULL,
    description TEXT,
    address TEXT NOT NULL,
    city VARCHAR(100) NOT NULL,
    state VARCHAR(50) NOT NULL,
    zip_code VARCHAR(20),
    latitude NUMERIC(10, 8),
    longitude NUMERIC(11, 8),
    total_sqft NUMERIC(12, 2),
    year_built INTEGER,
    property_type VARCHAR(50),
    property_class VARCHAR(20),
    total_units INTEGER,
    occupied_units INTEGER,
    acquisition_cost NUMERIC(15, 2),
    acquisition_date DATE,
    current_value NUMERIC(15, 2),
    estimated_market_value NUMERIC(15, 2),
    last_appraised_date DATE,
    loan_balance NUMERIC(15, 2),
    original_loan_amount NUMERIC(15, 2),
    interest_rate NUMERIC(5, 3),
    loan_maturity_date DATE,
    dscr NUMERIC(4, 2),
    annual_noi NUMERIC(15, 2),
    annual_revenue NUMERIC(15, 2),
    occupancy_rate NUMERIC(5, 2),
    status VARCHAR(20) DEFAULT 'active' NOT NULL,
    has_active_alerts BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITHOUT TIME ZONE DEFAULT timezone('utc', now()),
    updated_at TIMESTAMP WITHOUT TIME ZONE DEFAULT timezone('utc', now()),
    created_by UUID,
    updated_by UUID,
    CONSTRAINT pk_properties PRIMARY KEY (id),
    CONSTRAINT ck_properties_occupancy CHECK (occupancy_rate BETWEEN 0 AND 100),
    CONSTRAINT chk_valid_property_class CHECK (property_class IN ('A', 'B', 'C', 'D'))
);
CREATE INDEX ix_properties_status ON properties (status);
CREATE INDEX ix_properties_city_state ON properties (city, state);
INSERT INTO alembic_version VALUES ('3f2a9c1b7d10');
