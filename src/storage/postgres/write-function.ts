import { lettersFunction } from "./letter-functions.ts";
import { runsFunction } from "./run-functions.ts";
import { sizeFunctions } from "./size-functions.ts";

/**
 * The functions that a store calls. Each call is one statement, and thus all of it or nothing. `s`: the quoted schema.
 *
 * A group takes its locks in one order: the fence, its agents by id, the mail. Each query of a function sees what was committed before it
 * began, which needs the isolation level `read committed`.
 */
export function functionsOf(s: string): string {
  return `${openFunction(s)}${sizeFunctions(s)}${lettersFunction(s)}${runsFunction(s)}${writeFunction(s)}`;
}

const assertIsolation = `
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception using errcode = '25000',
      message = 'the isolation level of transactions is ' || current_setting('transaction_isolation')
        || '; set default_transaction_isolation to read committed for this role';
  end if;`;

/** Makes the next incarnation, unless the database belongs to stores of the other mode. */
function openFunction(s: string): string {
  return `
create or replace function ${s}.open_store(
  p_writers text, p_fence_lock bigint, p_seconds bigint, p_holder text, p_takes_over boolean, p_held bigint)
returns jsonb language plpgsql as $body$
declare
  v_meta ${s}.meta%rowtype;
  v_newest bigint;
  v_incarnation bigint;
begin${assertIsolation}
  perform pg_advisory_xact_lock(p_fence_lock);
  select * into strict v_meta from ${s}.meta;
  if p_held > 0 and (v_meta.writers is distinct from p_writers or v_meta.fence > p_held) then
    return jsonb_build_object('fenced', v_meta.holder);
  end if;
  if v_meta.writers <> p_writers and not p_takes_over then
    return jsonb_build_object('writers', v_meta.writers);
  end if;
  v_newest := v_meta.newest_generation;
  v_incarnation := greatest(v_meta.incarnation + 1, v_newest + 1, p_seconds);
  -- Of many writers no epoch has the number of an opening.
  update ${s}.meta set writers = p_writers, incarnation = v_incarnation, holder = p_holder,
    newest_generation = case when p_writers = 'many' then v_newest else v_incarnation end,
    fence = case when p_writers = 'many' and v_meta.writers = 'many' then fence else v_incarnation end;
  return jsonb_build_object('incarnation', v_incarnation, 'newestGeneration', v_newest);
end $body$;
`;
}

/**
 * Writes commits and settlements in their order. A write names bytes as an offset from its own `base`, which counts from 1, and a length.
 * The results of commits:
 * - [0, eTag, revision] if it is committed. If there is any, the indexes of known mail follow, and of buried mail among the rest.
 * - [1, eTag] for a conflict. An index at its end names the change that does not fit its run.
 * - [2, generation, era, number] for stale.
 * - [3] if the agent would have too many reminders, [5] if it would have too many runs.
 * - [4, receiver, bound] if its mail finds no space.
 * Writes of the log have the results of the log.
 */
function writeFunction(s: string): string {
  const slice = (value: string): string => `substr(p_bytes, v_base + (${value}->>0)::integer, (${value}->>1)::integer)`;
  return `
create or replace function ${s}.write_group(
  p_writers text, p_incarnation bigint, p_fence_lock bigint, p_mail_lock bigint, p_agent_locks bigint[], p_generation bigint,
  p_forget_before bigint, p_most_reminders integer, p_most_remembered integer, p_writes jsonb, p_bytes bytea)
returns jsonb language plpgsql as $body$
declare
  v_meta record;
  v_write jsonb;
  v_part jsonb;
  v_base integer;
  v_agent bytea;
  v_kind text;
  v_old record;
  v_found boolean;
  v_generation bigint;
  v_era bigint;
  v_number bigint;
  v_result jsonb;
  v_results jsonb[] := '{}';
  v_count bigint;
  v_now bigint;
  v_message bytea;
  v_full jsonb;
  v_kept bigint := 0;
  v_forget bigint;
  v_late bigint;
  v_known jsonb;
  v_buried jsonb;
  v_settled bigint[] := '{}';
  v_mail jsonb;
  -- Mail that one statement inserts at the end of the group, and what it adds to the sizes.
  v_pending jsonb[] := '{}';
  v_sizes jsonb := '{}';
  v_all jsonb;
begin${assertIsolation}
  perform pg_advisory_xact_lock_shared(p_fence_lock);
  select writers, fence, holder into strict v_meta from ${s}.meta;
  if v_meta.writers is distinct from p_writers or v_meta.fence > p_incarnation
      or (p_writers = 'one' and v_meta.fence <> p_incarnation) then
    return jsonb_build_object('fenced', v_meta.holder);
  end if;
  perform pg_advisory_xact_lock(key) from unnest(p_agent_locks) as key;
  if p_mail_lock is not null then
    perform pg_advisory_xact_lock(p_mail_lock);
  end if;

  for v_write in select value from jsonb_array_elements(p_writes) loop
    v_base := (v_write->>'base')::integer;
    -- What was settled goes in one statement, before another write needs its space.
    if array_length(v_settled, 1) > 0 and not v_write ? 'ticks' then
      delete from ${s}.mail where place = any(v_settled);
      v_settled := '{}';
    end if;
    if v_sizes <> '{}' and (v_write ? 'letters' or v_write->>'kind' = 'delete') then
      perform ${s}.insert_mail(v_pending, p_bytes);
      v_pending := '{}';
      v_sizes := '{}';
    end if;
    if v_write ? 'append' then
      v_agent := decode(v_write->>'append', 'hex');
      v_message := decode(v_write->>'message', 'hex');
      v_forget := (v_write->>'forget')::bigint;
      -- An id that is from later was kept before the clock was set back.
      v_late := 2 * (v_write->>'now')::bigint - v_forget;
      if exists(select from ${s}.mail_ids where message = v_message and at > v_forget and at < v_late) then
        v_results := array_append(v_results, '"known"'::jsonb);
        continue;
      end if;
      v_mail := jsonb_build_array(v_write || jsonb_build_object('receiver', v_write->'append'));
      v_full := ${s}.fit_mail(v_mail, v_write->'most', v_sizes)->(v_write->>'append');
      if v_full is not null then
        v_results := array_append(v_results, v_full);
        continue;
      end if;
      insert into ${s}.mail_ids(message, at) values (v_message, (v_write->>'now')::bigint)
        on conflict (message) do update set at = excluded.at;
      v_pending := v_pending || ${s}.pending_mail(v_mail, v_write, v_base, (v_write->>'sent')::bigint);
      v_sizes := ${s}.added_sizes(v_sizes, v_mail);
      v_kept := v_kept + 1;
      v_results := array_append(v_results, '"kept"'::jsonb);
      continue;
    end if;

    if v_write ? 'letters' then
      v_results := array_append(v_results, ${s}.write_letters(v_write, p_bytes));
      continue;
    end if;
    if v_write ? 'ticks' then
      for v_part in select value from jsonb_array_elements(v_write->'ticks') loop
        v_agent := decode(v_part->>'agent', 'hex');
        if v_part->>'due' is null then
          delete from ${s}.reminders where agent = v_agent and name = ${slice("(v_part->'name')")}
            and seq = (v_part->>'seq')::bigint;
        else
          update ${s}.reminders set due = (v_part->>'due')::bigint, attempts = (v_part->>'attempts')::bigint,
            rule = coalesce(${slice("(v_part->'rule')")}, rule), seq = nextval('${s}.seq') where agent = v_agent and name = ${slice("(v_part->'name')")}
            and seq = (v_part->>'seq')::bigint;
        end if;
      end loop;
      if jsonb_array_length(v_write->'mail') > 0 then
        v_settled := v_settled || array(
          select (value->>'place')::bigint from jsonb_array_elements(v_write->'mail') where value->>'next' is null);
        update ${s}.mail set next_at = (value->>'next')::bigint, attempts = (value->>'attempts')::bigint
          from jsonb_array_elements(v_write->'mail') where place = (value->>'place')::bigint and value->>'next' is not null;
      end if;
      v_results := array_append(v_results, 'null'::jsonb);
      continue;
    end if;

    v_agent := decode(v_write->>'agent', 'hex');
    v_kind := v_write->>'kind';
    v_now := (v_write->>'now')::bigint;
    v_generation := (v_write->'epoch'->>0)::bigint;
    v_era := (v_write->'epoch'->>1)::bigint;
    v_number := (v_write->'epoch'->>2)::bigint;
    select etag, revision, generation, era, number into v_old from ${s}.state where agent = v_agent;
    v_found := found;
    if not v_found and p_writers = 'many' then
      select '' as etag, 0::bigint as revision, generation, era, number into v_old from ${s}.deleted where agent = v_agent;
    end if;

    v_result := null;
    if v_generation is not null and v_old.generation is not null
        and (v_old.generation, v_old.era, v_old.number) > (v_generation, v_era, v_number) then
      v_result := jsonb_build_array(2, v_old.generation, v_old.era, v_old.number);
    elsif v_write->>'expected' = 'nothing' and v_found then
      v_result := jsonb_build_array(1, v_old.etag);
    elsif v_write->>'expected' = 'version' and not v_found then
      v_result := jsonb_build_array(1, null);
    elsif v_write->>'expected' = 'version' and v_old.etag <> v_write->>'version' then
      v_result := jsonb_build_array(1, v_old.etag);
    elsif v_write ? 'newReminders' then
      select count(*) into v_count from ${s}.reminders where agent = v_agent and v_kind <> 'delete'
        and substr(name, 1, 7) <> 'troupe.' and name <> all(
          array(select ${slice("(value->'name')")} from jsonb_array_elements(v_write->'reminders')));
      if v_count + (v_write->>'newReminders')::bigint > p_most_reminders then
        v_result := jsonb_build_array(3);
      end if;
    end if;
    -- Mailboxes were given these before: the commit happens without them.
    v_known := null;
    if v_result is null and v_write ? 'forget' then
      v_forget := (v_write->>'forget')::bigint;
      -- An id that is from later was kept before the clock was set back.
      v_late := 2 * v_now - v_forget;
      select jsonb_agg(mail.place - 1) into v_known
        from jsonb_array_elements(v_write->'mail') with ordinality as mail(value, place) where mail.value ? 'once' and exists(
          select from ${s}.mail_ids where message = decode(mail.value->>'once', 'hex') and at > v_forget and at < v_late);
      if v_known is not null then
        v_write := jsonb_set(v_write, '{mail}', coalesce((
          select jsonb_agg(mail.value order by mail.place)
            from jsonb_array_elements(v_write->'mail') with ordinality as mail(value, place)
            where not v_known @> to_jsonb(mail.place - 1)), '[]'));
      end if;
    end if;
    -- Mail that finds no space and may be buried goes to the dead letters; what that leaves free, the rest may have.
    v_buried := null;
    if v_result is null and v_write ? 'most' then
      v_full := ${s}.fit_mail(v_write->'mail', v_write->'most', v_sizes);
      if v_full is not null then
        select jsonb_agg(mail.place - 1) into v_buried
          from jsonb_array_elements(v_write->'mail') with ordinality as mail(value, place)
          where mail.value ? 'buries' and v_full ? (mail.value->>'receiver');
        if v_buried is not null then
          v_all := v_write->'mail';
          v_write := jsonb_set(v_write, '{mail}', coalesce((
            select jsonb_agg(mail.value order by mail.place)
              from jsonb_array_elements(v_all) with ordinality as mail(value, place)
              where not v_buried @> to_jsonb(mail.place - 1)), '[]'));
          v_full := ${s}.fit_mail(v_write->'mail', v_write->'most', v_sizes);
        end if;
        if v_full is not null then
          v_result := jsonb_build_array(4, key, value) from jsonb_each(v_full) order by key limit 1;
        end if;
      end if;
    end if;
    -- A change that does not fit takes all of them back, and is the outcome of the commit.
    if v_result is null and v_write ? 'runs' then
      v_result := ${s}.write_runs(v_agent, v_write, v_base, p_bytes, v_now);
      if v_result->>0 = '1' then
        v_result := jsonb_build_array(1, v_old.etag, v_result->1);
      end if;
    end if;
    if v_result is not null then
      v_results := array_append(v_results, v_result);
      continue;
    end if;

    v_generation := coalesce(v_generation, v_old.generation);
    v_era := coalesce(v_era, v_old.era);
    v_number := coalesce(v_number, v_old.number);
    if v_kind = 'put' and v_found then
      update ${s}.state set revision = v_old.revision + 1, etag = v_write->>'etag',
        schema_version = (v_write->>'schemaVersion')::bigint, content_type = ${slice("(v_write->'contentType')")},
        saved_at = v_now, generation = v_generation, era = v_era, number = v_number, data = ${slice("(v_write->'data')")}
        where agent = v_agent;
      v_result := jsonb_build_array(0, v_write->>'etag', v_old.revision + 1);
    elsif v_kind = 'put' then
      insert into ${s}.state(
        agent, type, key, revision, etag, schema_version, content_type, saved_at, generation, era, number, data)
        values (v_agent, ${slice("(v_write->'type')")}, ${slice("(v_write->'key')")}, 1, v_write->>'etag',
          (v_write->>'schemaVersion')::bigint, ${slice("(v_write->'contentType')")}, v_now, v_generation, v_era, v_number,
          ${slice("(v_write->'data')")});
      if p_writers = 'many' then
        delete from ${s}.deleted where agent = v_agent;
      end if;
      v_result := jsonb_build_array(0, v_write->>'etag', 1);
    elsif v_kind = 'delete' then
      delete from ${s}.state where agent = v_agent;
      delete from ${s}.reminders where agent = v_agent;
      delete from ${s}.remembered where agent = v_agent;
      delete from ${s}.mail where receiver = v_agent;
      if not v_write ? 'runs' then
        delete from ${s}.runs where agent = v_agent;
      end if;
      if p_writers = 'many' and v_generation is not null then
        insert into ${s}.deleted(agent, generation, era, number, deleted_at)
          values (v_agent, v_generation, v_era, v_number, v_now)
          on conflict (agent) do update set generation = excluded.generation, era = excluded.era, number = excluded.number,
            deleted_at = excluded.deleted_at;
      end if;
      v_result := jsonb_build_array(0, '', 0);
    elsif v_found then
      if (v_old.generation, v_old.era, v_old.number) is distinct from (v_generation, v_era, v_number) then
        update ${s}.state set generation = v_generation, era = v_era, number = v_number where agent = v_agent;
      end if;
      v_result := jsonb_build_array(0, v_old.etag, v_old.revision);
    else
      if v_write ? 'fences' and p_writers = 'many' and v_generation is not null then
        insert into ${s}.deleted(agent, generation, era, number, deleted_at)
          values (v_agent, v_generation, v_era, v_number, v_now)
          on conflict (agent) do update set generation = excluded.generation, era = excluded.era, number = excluded.number,
            deleted_at = excluded.deleted_at;
      end if;
      v_result := jsonb_build_array(0, '', 0);
    end if;

    if v_write ? 'reminders' then
      for v_part in select value from jsonb_array_elements(v_write->'reminders') loop
        if v_part ? 'due' then
          insert into ${s}.reminders(agent, name, seq, type, key, shard, due, attempts, rule, message)
            values (v_agent, ${slice("(v_part->'name')")}, nextval('${s}.seq'), ${slice("(v_write->'type')")},
              ${slice("(v_write->'key')")}, (v_write->>'shard')::smallint, (v_part->>'due')::bigint, 0,
              ${slice("(v_part->'rule')")}, ${slice("(v_part->'message')")})
            on conflict (agent, name) do update set seq = excluded.seq, due = excluded.due, attempts = 0, rule = excluded.rule,
              message = excluded.message;
        else
          delete from ${s}.reminders where agent = v_agent and name = ${slice("(v_part->'name')")};
        end if;
      end loop;
    end if;
    if v_write ? 'mail' then
      v_pending := v_pending || ${s}.pending_mail(v_write->'mail', v_write, v_base, v_now);
      v_sizes := ${s}.added_sizes(v_sizes, v_write->'mail');
      if v_write ? 'forget' then
        insert into ${s}.mail_ids(message, at) select distinct decode(value->>'once', 'hex'), v_now
          from jsonb_array_elements(v_write->'mail') where value ? 'once'
          on conflict (message) do update set at = excluded.at;
        get diagnostics v_count = row_count;
        v_kept := v_kept + v_count;
      end if;
      if v_buried is not null then
        insert into ${s}.dead(
          letter, receiver, type, key, shard, id, kind, sent_at, place, code, reason, attempts, died_at, frame)
          select nextval('${s}.seq'), decode(part->>'receiver', 'hex'), ${slice("(part->'type')")}, ${slice("(part->'key')")},
            (part->>'shard')::smallint, ${slice("(part->'id')")}, part->>'kind', v_now, 0, 'mailbox-full',
            ${slice("(part->'buries')")}, 0, v_now, ${slice("(part->'frame')")}
          from (select mail.value as part from jsonb_array_elements(v_all) with ordinality as mail(value, place)
            where v_buried @> to_jsonb(mail.place - 1) order by mail.place) as ordered;
      end if;
    end if;
    if v_write ? 'remembered' then
      for v_part in select value from jsonb_array_elements(v_write->'remembered') loop
        insert into ${s}.remembered(agent, message, seq, at, answer)
          values (v_agent, decode(v_part->>'message', 'hex'), nextval('${s}.seq'), v_now,
            case when v_part ? 'answer' then ${slice("(v_part->'answer')")} end)
          on conflict (agent, message) do update set seq = excluded.seq, at = excluded.at, answer = excluded.answer;
      end loop;
      if v_write ? 'answers' then
        delete from ${s}.remembered where agent = v_agent and answer is not null and seq <= (select seq from ${s}.remembered
          where agent = v_agent and answer is not null order by seq desc offset p_most_remembered limit 1);
      end if;
      if v_write ? 'ids' then
        delete from ${s}.remembered where agent = v_agent and answer is null and seq <= (select seq from ${s}.remembered
          where agent = v_agent and answer is null order by seq desc offset p_most_remembered limit 1);
      end if;
    end if;
    if v_known is not null or v_buried is not null then
      v_result := v_result || jsonb_build_array(coalesce(v_known, '[]'), coalesce(v_buried, '[]'));
    end if;
    v_results := array_append(v_results, v_result);
  end loop;
  if array_length(v_settled, 1) > 0 then
    delete from ${s}.mail where place = any(v_settled);
  end if;
  if v_sizes <> '{}' then
    perform ${s}.insert_mail(v_pending, p_bytes);
  end if;

  if v_kept > 0 then
    -- More than were added, so that their number follows that of the last minutes.
    delete from ${s}.mail_ids where message in (
      select message from ${s}.mail_ids where at <= v_forget or at >= v_late limit 2 * v_kept);
  end if;
  if p_generation is not null then
    update ${s}.meta set newest_generation = p_generation where newest_generation < p_generation;
  end if;
  if p_forget_before is not null then
    delete from ${s}.remembered where (agent, message) in (
      select agent, message from ${s}.remembered where at <= p_forget_before limit 1000 for update skip locked);
    delete from ${s}.deleted where agent in (
      select agent from ${s}.deleted where deleted_at <= p_forget_before limit 1000 for update skip locked);
  end if;
  if p_writes->0 ? 'forgetLog' then
    delete from ${s}.mail_ids where message in (select message from ${s}.mail_ids
      where at <= (p_writes->0->'forgetLog'->>0)::bigint or at >= (p_writes->0->'forgetLog'->>2)::bigint
      limit 1000 for update skip locked);
    delete from ${s}.dead where letter in (select letter from ${s}.dead
      where died_at <= (p_writes->0->'forgetLog'->>1)::bigint limit 1000 for update skip locked);
    delete from ${s}.runs where run in (select run from ${s}.runs
      where ends_at <= (p_writes->0->'forgetLog'->>3)::bigint limit 1000 for update skip locked);
  end if;
  return to_jsonb(v_results);
end $body$;
`;
}
