-- What decisions, pages and metrics ask all day must not read what has been for a year: those of 13 months are some millions of rows.

-- How many rows of each kind, kept by triggers: counting them would stop the event loop for as long as it takes to read them all.
create table tallies (
  kind  text not null check (kind in ('incidents', 'holds', 'intents')),
  value text not null,
  n     integer not null,
  primary key (kind, value)
) strict, without rowid;
insert into tallies (kind, value, n) select 'incidents', status, count(*) from incidents group by status;
insert into tallies (kind, value, n) select 'holds', state, count(*) from holds group by state;
insert into tallies (kind, value, n) select 'intents', state, count(*) from intents group by state;

create trigger incidents_more after insert on incidents begin
  insert into tallies (kind, value, n) values ('incidents', new.status, 1) on conflict (kind, value) do update set n = n + 1;
end;
create trigger incidents_less after delete on incidents begin
  update tallies set n = n - 1 where kind = 'incidents' and value = old.status;
end;
create trigger incidents_other after update on incidents when old.status <> new.status begin
  update tallies set n = n - 1 where kind = 'incidents' and value = old.status;
  insert into tallies (kind, value, n) values ('incidents', new.status, 1) on conflict (kind, value) do update set n = n + 1;
end;
create trigger holds_more after insert on holds begin
  insert into tallies (kind, value, n) values ('holds', new.state, 1) on conflict (kind, value) do update set n = n + 1;
end;
create trigger holds_less after delete on holds begin
  update tallies set n = n - 1 where kind = 'holds' and value = old.state;
end;
create trigger holds_other after update on holds when old.state <> new.state begin
  update tallies set n = n - 1 where kind = 'holds' and value = old.state;
  insert into tallies (kind, value, n) values ('holds', new.state, 1) on conflict (kind, value) do update set n = n + 1;
end;
create trigger intents_more after insert on intents begin
  insert into tallies (kind, value, n) values ('intents', new.state, 1) on conflict (kind, value) do update set n = n + 1;
end;
create trigger intents_less after delete on intents begin
  update tallies set n = n - 1 where kind = 'intents' and value = old.state;
end;
create trigger intents_other after update on intents when old.state <> new.state begin
  update tallies set n = n - 1 where kind = 'intents' and value = old.state;
  insert into tallies (kind, value, n) values ('intents', new.state, 1) on conflict (kind, value) do update set n = n + 1;
end;

-- By kind: each lane takes its own, and a chat that is away leaves thousands that no other one has to read.
drop index intents_open;
create index intents_open on intents (kind, n) where state in ('planned', 'sending', 'unknown');
create index intents_failed on intents (kind, n) where state = 'failed';
create index incidents_over on incidents (opened_at) where live = 0;
create index incidents_dag on incidents (dag_id, n);
create index holds_dag on holds (dag_id, n);
create index inbox_aside on inbox (n) where quarantine is not null;
create index inbox_done on inbox (received_at) where done = 1;
