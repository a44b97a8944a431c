-- +goose Up
-- What old runs of rules and bulk runs are found by, and what lists and counts
-- of them read in order.
CREATE INDEX rule_runs_by_age ON rule_runs (at);
CREATE INDEX rule_runs_newest ON rule_runs (id);
CREATE INDEX rule_runs_by_state ON rule_runs (state, id);
CREATE INDEX rule_runs_of_rule ON rule_runs (rule_id, state);
CREATE INDEX bulk_runs_by_age ON bulk_runs (created_at);
