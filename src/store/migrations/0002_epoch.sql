-- One row about the file itself: which database it is, how often it was started, and whether it is a copy of what really happened. A restored
-- file is older than Airflow, so nothing is done from it before a person has looked at what differs.
create table service (
  only_row    integer primary key check (only_row = 1),
  database_id text not null,
  -- raised at every start; a process whose epoch is not the file's any more may write nothing
  epoch       integer not null,
  -- set in a backup when it is made, never in the file that it was made of: whoever starts such a file starts a copy
  copied_at   text,
  -- until a person confirms: observe only
  restored    text check (json_valid(restored))
) strict;
insert into service (only_row, database_id, epoch) values (1, lower(hex(randomblob(8))), 0);
