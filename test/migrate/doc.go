// Package migrate measures migrations on tables of the size that hurts: how long they
// take, and for how long they keep others from the table.
package migrate
