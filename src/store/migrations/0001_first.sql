-- Incidents and repairs are documents with the columns that queries need beside them: their shape is the core's, and only `store/` knows
-- that it is JSON. Everything that is claimed, counted or matched by SQL has columns of its own.
create table incidents (
  id          text primary key,
  airflow     text not null,
  dag_id      text not null,
  status      text not null check (status in ('open','contained','repairing','verifying','monitoring','resolved','dismissed')),
  -- 1 while the incident still takes part in decisions (not over, or something of it is still to be let go or delivered)
  live        integer not null check (live in (0, 1)),
  opened_at   text not null,
  released_at text,
  n           integer not null unique,
  doc         text not null check (json_valid(doc))
) strict;
create index incidents_live on incidents (live) where live = 1;
create index incidents_cause on incidents (airflow, dag_id, released_at);

create table holds (
  id           text primary key,
  n            integer not null unique,
  incident_id  text not null references incidents (id),
  airflow      text not null,
  dag_id       text not null,
  state        text not null check (state in ('intended','held','foreign','ceded','release_intended','released')),
  found_paused integer check (found_paused in (0, 1)),
  reason       text not null check (json_valid(reason)),
  path         text not null check (json_valid(path)),
  link         text not null,
  depth        integer not null,
  since        text not null,
  review_by    text not null,
  review_asked integer not null check (review_asked in (0, 1)),
  released_at  text
) strict;
create index holds_open on holds (airflow, dag_id) where released_at is null;
create index holds_incident on holds (incident_id);

create table ownerships (
  airflow      text not null,
  dag_id       text not null,
  state        text not null check (state in ('none','pause_intended','ours','resume_intended','foreign','ceded')),
  op           text,
  audit_cursor integer,
  since        text,
  uncertain    integer not null check (uncertain in (0, 1)),
  found_paused integer check (found_paused in (0, 1)),
  ops          text not null check (json_valid(ops)),
  primary key (airflow, dag_id)
) strict;

create table repairs (
  id          text primary key,
  n           integer not null unique,
  incident_id text not null references incidents (id),
  airflow     text not null,
  state       text not null check (state in ('planning','proposed','approved','running','succeeded','failed','lapsed','rejected','cancelled')),
  doc         text not null check (json_valid(doc))
) strict;
create index repairs_incident on repairs (incident_id);

create table intents (
  id         text primary key,
  n          integer not null unique,
  kind       text not null,
  state      text not null check (state in ('planned','sending','done','failed','unknown','dropped')),
  act        text not null check (json_valid(act)),
  op         text not null unique,
  attempts   integer not null,
  created_at text not null,
  due_at     text not null,
  last_error text
) strict;
create index intents_open on intents (state, due_at) where state in ('planned', 'sending', 'unknown');

create table signals (
  id          text primary key,
  n           integer not null unique,
  key         text not null,
  airflow     text not null,
  dag_id      text not null,
  origin      text not null,
  incident_id text,
  heard_at    text not null,
  doc         text not null check (json_valid(doc)),
  -- the same failure heard twice by the same way is one row; heard by callback and by poll it is two
  unique (key, origin)
) strict;
create index signals_incident on signals (incident_id);
create index signals_dag on signals (airflow, dag_id, n);

create table timeline (
  id          integer primary key autoincrement,
  incident_id text,
  at          text not null,
  actor       text not null check (json_valid(actor)),
  event       text not null,
  subject     text,
  reason      text not null check (json_valid(reason)),
  comment     text
) strict;
create index timeline_incident on timeline (incident_id, id);
create trigger timeline_no_update before update on timeline begin select raise(abort, 'the timeline is append-only'); end;
create trigger timeline_no_delete before delete on timeline begin select raise(abort, 'the timeline is append-only'); end;

-- Callbacks as they came: a 202 means that the row is here. `done` once it went through respond.
create table inbox (
  n           integer primary key autoincrement,
  airflow     text not null,
  webhook_id  text not null,
  dedupe_key  text,
  body        text not null,
  received_at text not null,
  quarantine  text,
  done        integer not null check (done in (0, 1)),
  unique (airflow, webhook_id)
) strict;
create index inbox_open on inbox (n) where done = 0;

-- Where the poll of each Airflow stands, in Airflow's own time.
create table watermarks (
  airflow  text primary key,
  since    text,
  -- what failed before this is history: it was there before Firedamper was
  baseline text not null
) strict;

-- What the poll has already seen within its overlap.
create table seen (
  airflow text not null,
  key     text not null,
  seen_at text not null,
  primary key (airflow, key)
) strict, without rowid;

create table counters (
  kind text primary key,
  n    integer not null
) strict;

-- Facts of each Airflow as last read (DAGs, lineage): a cache, so that a restart can decide before the first survey has ended.
create table facts (
  airflow text not null,
  kind    text not null check (kind in ('dags', 'lineage')),
  read_at text not null,
  doc     text not null check (json_valid(doc)),
  primary key (airflow, kind)
) strict;
