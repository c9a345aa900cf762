-- The hash of each line of the history together with the hash of the line before it: what is changed, taken out or put elsewhere afterwards no longer
-- fits. Who can write the file can also make a new chain, so its head is said elsewhere too (the log), and compared.
create table timeline_chain (
  id   integer primary key references timeline (id),
  hash text not null
) strict;
create trigger timeline_chain_no_update before update on timeline_chain begin select raise(abort, 'the timeline is append-only'); end;
create trigger timeline_chain_no_delete before delete on timeline_chain begin select raise(abort, 'the timeline is append-only'); end;
