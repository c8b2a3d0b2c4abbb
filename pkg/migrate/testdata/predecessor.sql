-- As the predecessor's runner left it.
CREATE TABLE schema_migrations (
    id SERIAL PRIMARY KEY,
    migration_name VARCHAR(255) UNIQUE NOT NULL,
    applied_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    success BOOLEAN DEFAULT TRUE,
    error_message TEXT
);
CREATE TABLE properties (
    id UUID PRIMARY KEY DEFAULT gen_random_uuid(),
    name VARCHAR(255) NOT NULL,
    description TEXT,
    address TEXT NOT NULL,
    city VARCHAR(100) NOT NULL,
    state VARCHAR(50) NOT NULL,
    zip_code VARCHAR(20),
    latitude DECIMAL(10, 8),
    longitude DECIMAL(11, 8),
    total_sqft DECIMAL(12, 2),
    year_built INTEGER,
    property_type VARCHAR(50),
    property_class VARCHAR(20),
    total_units INTEGER,
    occupied_units INTEGER,
    acquisition_cost DECIMAL(15, 2),
    acquisition_date DATE,
    current_value DECIMAL(15, 2),
    estimated_market_value DECIMAL(15, 2),
    last_appraised_date DATE,
    loan_balance DECIMAL(15, 2),
    original_loan_amount DECIMAL(15, 2),
    interest_rate DECIMAL(5, 3),
    loan_maturity_date DATE,
    dscr DECIMAL(4, 2),
    annual_noi DECIMAL(15, 2),
    annual_revenue DECIMAL(15, 2),
    occupancy_rate DECIMAL(5, 2),
    status VARCHAR(20) DEFAULT 'active',
    has_active_alerts BOOLEAN DEFAULT FALSE,
    created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
    created_by UUID,
    updated_by UUID,
    CONSTRAINT chk_occupancy_rate CHECK (occupancy_rate >= 0 AND occupancy_rate <= 100),
    CONSTRAINT chk_sqft_positive CHECK (total_sqft > 0),
    CONSTRAINT chk_acquisition_before_current CHECK (acquisition_date <= CURRENT_DATE),
    CONSTRAINT chk_year_built_reasonable CHECK (year_built >= 1800 AND year_built <= EXTRACT(YEAR FROM CURRENT_DATE) + 5),
    CONSTRAINT chk_occupied_within_total CHECK (occupied_units <= total_units),
    CONSTRAINT chk_valid_status CHECK (status IN ('active', 'sold', 'under_renovation', 'pending_sale', 'inactive')),
    CONSTRAINT chk_valid_property_type CHECK (property_type IN ('office', 'retail', 'mixed-use', 'industrial', 'residential', 'warehouse')),
    CONSTRAINT chk_valid_property_class CHECK (property_class IN ('A', 'B', 'C', 'D'))
);
CREATE INDEX idx_properties_status ON properties(status);
CREATE INDEX idx_properties_city_state ON properties(city, state);
CREATE INDEX idx_properties_property_type ON properties(property_type);
CREATE INDEX idx_properties_occupancy_rate ON properties(occupancy_rate DESC);
CREATE INDEX idx_properties_created_at ON properties(created_at DESC);
CREATE INDEX idx_properties_has_alerts ON properties(has_active_alerts) WHERE has_active_alerts = TRUE;
CREATE INDEX idx_properties_current_value ON properties(current_value DESC);
CREATE INDEX idx_properties_coordinates ON properties(latitude, longitude) WHERE latitude IS NOT NULL AND longitude IS NOT NULL;
CREATE INDEX idx_properties_class ON properties(property_class);
CREATE FUNCTION update_properties_updated_at() RETURNS TRIGGER AS $$
BEGIN
    NEW.updated_at = CURRENT_TIMESTAMP;
    RETURN NEW;
END;
$$ LANGUAGE plpgsql;
CREATE TRIGGER trg_properties_updated_at BEFORE UPDATE ON properties
    FOR EACH ROW EXECUTE FUNCTION update_properties_updated_at();
INSERT INTO schema_migrations (migration_name) VALUES ('001_create_properties');
