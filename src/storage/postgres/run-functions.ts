import { storeLimits } from "../../core/internal.ts";

/** The tables of runs. An id has 256 characters at most, which an index takes. */
export function runTablesOf(s: string): string {
  return `
create table ${s}.runs(
  run bigint primary key, agent bytea not null, type bytea not null, key bytea not null, id bytea not null, status text not null,
  principal bytea not null, owner bytea not null, depth bigint not null, started_at bigint not null, deadline bigint,
  keep_ms bigint not null, updated_at bigint not null, ends_at bigint, first bigint not null, next bigint not null,
  bytes bigint not null, takeovers bigint not null, message bytea not null, outcome bytea, unique(agent, id))
  with (fillfactor = 80);
create index runs_ends_at on ${s}.runs(ends_at) where ends_at is not null;
create table ${s}.run_chunks(
  run bigint not null references ${s}.runs on delete cascade, place bigint not null, data bytea not null, primary key(run, place));
`;
}

/**
 * Writes the changes of a commit's runs, all or none. Null: they are written. [1, index]: the change does not fit its run. [5]: the agent would
 * have too many that work. The caller has the lock of the agent.
 */
export function runsFunction(s: string): string {
  const slice = (value: string): string => `substr(p_bytes, p_base + (${value}->>0)::integer, (${value}->>1)::integer)`;
  return `
create or replace function ${s}.write_runs(p_agent bytea, p_write jsonb, p_base integer, p_bytes bytea, p_now bigint)
returns jsonb language plpgsql as $body$
declare
  v_index integer := -1;
  v_part jsonb;
  v_chunk jsonb;
  v_run record;
  v_found boolean;
  v_first bigint;
  v_next bigint;
  v_size bigint;
  v_old record;
begin
  if p_write->>'kind' = 'delete' then
    delete from ${s}.runs where agent = p_agent;
  end if;
  for v_part in select value from jsonb_array_elements(p_write->'runs') loop
    v_index := v_index + 1;
    select run, status, first, next, bytes into v_run from ${s}.runs where agent = p_agent and id = ${slice("(v_part->'id')")};
    v_found := found;
    if v_part->>'at' = 'create' then
      if v_found then
        raise exception using errcode = 'TR001';
      end if;
      insert into ${s}.runs(
        run, agent, type, key, id, status, principal, owner, depth, started_at, deadline, keep_ms, updated_at, first, next, bytes,
        takeovers, message)
        values (nextval('${s}.seq'), p_agent, ${slice("(p_write->'type')")}, ${slice("(p_write->'key')")}, ${slice("(v_part->'id')")},
          'working', ${slice("(v_part->'principal')")}, ${slice("(v_part->'owner')")}, (v_part->>'depth')::bigint,
          (v_part->>'started')::bigint, (v_part->>'deadline')::bigint, (v_part->>'keep')::bigint, p_now, 0, 0, 0, 0,
          ${slice("(v_part->'message')")});
      continue;
    end if;
    if not v_found or v_run.status <> 'working' then
      raise exception using errcode = 'TR001';
    end if;
    case v_part->>'at'
    when 'append' then
      if v_run.next <> (v_part->>'from')::bigint then
        raise exception using errcode = 'TR001';
      end if;
      v_first := v_run.first;
      v_next := v_run.next;
      v_size := v_run.bytes;
      for v_chunk in select value from jsonb_array_elements(v_part->'chunks') loop
        insert into ${s}.run_chunks(run, place, data) values (v_run.run, v_next, ${slice("v_chunk")});
        v_next := v_next + 1;
        v_size := v_size + (v_chunk->>1)::bigint + ${storeLimits.runChunkBytes};
      end loop;
      if v_size > ${storeLimits.runBytes} then
        for v_old in select place, octet_length(data) as size from ${s}.run_chunks where run = v_run.run order by place loop
          exit when v_size <= ${storeLimits.runBytes} or v_old.place = v_next - 1;
          v_size := v_size - v_old.size - ${storeLimits.runChunkBytes};
          v_first := v_old.place + 1;
        end loop;
        delete from ${s}.run_chunks where run = v_run.run and place < v_first;
      end if;
      update ${s}.runs set first = v_first, next = v_next, bytes = v_size, updated_at = p_now where run = v_run.run;
    when 'takeover' then
      update ${s}.runs set takeovers = takeovers + 1, updated_at = p_now where run = v_run.run;
    when 'step' then
      update ${s}.runs set takeovers = 0, updated_at = p_now where run = v_run.run;
    when 'end' then
      update ${s}.runs set status = v_part->>'status', outcome = ${slice("(v_part->'outcome')")}, updated_at = p_now,
        ends_at = p_now + keep_ms where run = v_run.run;
      delete from ${s}.runs where run in (select run from ${s}.runs where agent = p_agent and status <> 'working'
        order by updated_at desc, run desc offset ${storeLimits.runs});
      -- Two for each one that ends, so that their number follows that of the time for which they are kept.
      delete from ${s}.runs where run in (
        select run from ${s}.runs where ends_at <= p_now and run <> v_run.run limit 2 for update skip locked);
    end case;
  end loop;
  if p_write ? 'createsRuns' and (select count(*) from ${s}.runs where agent = p_agent and status = 'working') > ${storeLimits.runs} then
    raise exception using errcode = 'TR002';
  end if;
  return null;
exception
  when sqlstate 'TR001' then
    return jsonb_build_array(1, v_index);
  when sqlstate 'TR002' then
    return jsonb_build_array(5);
end $body$;
`;
}
