// Package roles proves on real servers that the roles of config/roles.sql can do
// what they are for, and nothing else.
package roles
