-- Distributes Casemate's tables with Citus, on its coordinator, in an installation
-- whose schema is up to date and whose nodes are stopped:
--
--   psql -1 -f deploy/scale/citus.sql postgres://...
--
-- It may be run again after an upgrade: what is distributed already is left alone.
-- A test holds the lists against the migrations. docs/SCALING.md says more.

CREATE EXTENSION IF NOT EXISTS citus;

-- Distributed by domain_id and lying together: all of a customer is on one shard.
SELECT create_distributed_table(t::regclass, 'domain_id', colocate_with => CASE t WHEN 'users' THEN 'none' ELSE 'users' END)
FROM unnest(ARRAY[
  'users',
  'abuse_reports',
  'agencies',
  'agreement_signatures',
  'article_opened',
  'article_suggestions',
  'article_tickets',
  'article_votes',
  'attachment_usage',
  'attachments',
  'authorization_checks',
  'authorization_commands',
  'authorization_details',
  'authorization_sessions',
  'authorization_transfers',
  'authorizations',
  'bulk_items',
  'copy_addresses',
  'diagnoses',
  'diagnosis_checks',
  'diagnosis_numbers',
  'diagnosis_ratings',
  'diagnosis_resources',
  'events',
  'group_members',
  'label_numbers',
  'labels',
  'mail_threads',
  'message_moves',
  'message_reads',
  'messages',
  'notify_attempts',
  'notify_caught',
  'notify_messages',
  'notify_optouts',
  'notify_parts',
  'poll_cursors',
  'recovery_codes',
  'report_facts',
  'rule_runs',
  'search_docs',
  'second_factors',
  'ticket_changes',
  'ticket_counts',
  'ticket_deltas',
  'ticket_drafts',
  'ticket_followers',
  'ticket_labels',
  'ticket_later',
  'ticket_presence',
  'ticket_relations',
  'ticket_remarks',
  'ticket_scores',
  'ticket_sla_marks',
  'ticket_tags',
  'ticket_values',
  'tickets',
  'user_groups',
  'user_links',
  'user_preferences',
  'verify_codes',
  'verify_proofs'
]) WITH ORDINALITY AS list (t, n)
WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = t::regclass)
ORDER BY n;

-- Small, seldom written, read beside customers' rows: a copy on each machine.
SELECT create_reference_table(t::regclass)
FROM unnest(ARRAY[
  'catalog_agreements',
  'catalog_entries',
  'catalog_files',
  'catalog_versions',
  'domains',
  'notify_templates',
  'partner_services',
  'partners',
  'sla_rules'
]) AS t
WHERE NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = t::regclass);

-- All others stay on the coordinator: the desk's, jobs, leases, locks, tokens.
