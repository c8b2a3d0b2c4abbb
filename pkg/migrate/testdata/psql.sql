-- Made by hand: no runner, no trigger, some of the checks and indexes, one column more.
CREATE TABLE properties (
    id uuid DEFAULT gen_random_uuid() PRIMARY KEY,
    name varchar(255), address text, city varchar(100), state varchar(50),
    description text, zip_code varchar(20), latitude numeric(10,8), longitude numeric(11,8),
    total_sqft numeric(12,2), year_built integer, total_units integer, occupied_units integer,
    property_type varchar(50), property_class varchar(20),
    acquisition_cost numeric(15,2), current_value numeric(15,2), estimated_market_value numeric(15,2),
    loan_balance numeric(15,2), original_loan_amount numeric(15,2), annual_noi numeric(15,2), annual_revenue numeric(15,2),
    interest_rate numeric(5,3), dscr numeric(4,2), occupancy_rate numeric(5,2),
    acquisition_date date, last_appraised_date date, loan_maturity_date date,
    status varchar(20), has_active_alerts boolean,
    created_at timestamp, updated_at timestamp,
    created_by uuid, updated_by uuid,
    legacy_code text
);
ALTER TABLE properties ADD CONSTRAINT chk_sqft_positive CHECK (total_sqft >= 0);
ALTER TABLE properties ADD CONSTRAINT chk_occupancy_rate CHECK (occupancy_rate BETWEEN 0 AND 100) NOT VALID;
CREATE INDEX idx_properties_status ON properties (status, city);
CREATE INDEX idx_properties_legacy ON properties (legacy_code);
