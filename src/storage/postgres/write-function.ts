import { lettersFunction, sizeFunction } from "./letter-functions.ts";

/**
 * The functions that a store calls. Each call is one statement, and thus all of it or nothing. `s`: the quoted schema.
 *
 * A group takes its locks in one order: the fence, its agents by id, the mail. Each query of a function sees what was committed before it
 * began, which needs the isolation level `read committed`.
 */
export function functionsOf(s: string): string {
  return `${openFunction(s)}${sizeFunction(s)}${lettersFunction(s)}${writeFunction(s)}`;
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
 * A result is [0, eTag, revision] for committed, with the indexes of known mail at the end if there is any. It is [1, eTag] for a conflict and
 * [2, generation, era, number] for stale. [3] says that an agent would have too many reminders, [4] that a mailbox would have too many
 * messages. Writes of the log have the results of the log.
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
  v_mailbox text;
  v_sizes jsonb := '{}';
  v_kept bigint := 0;
  v_forget bigint;
  v_late bigint;
  v_known jsonb;
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
    if v_write ? 'append' then
      v_mailbox := v_write->>'append';
      v_agent := decode(v_mailbox, 'hex');
      v_message := decode(v_write->>'message', 'hex');
      v_forget := (v_write->>'forget')::bigint;
      -- An id that is from later was kept before the clock was set back.
      v_late := 2 * (v_write->>'now')::bigint - v_forget;
      if exists(select from ${s}.mail_ids where message = v_message and at > v_forget and at < v_late) then
        v_results := array_append(v_results, '"known"'::jsonb);
        continue;
      end if;
      v_count := coalesce((v_sizes->>v_mailbox)::bigint, ${s}.mailbox_size(v_agent, (v_write->>'most')::bigint));
      v_sizes := v_sizes || jsonb_build_object(v_mailbox, v_count);
      if v_count >= (v_write->>'most')::bigint then
        v_results := array_append(v_results, '"full"'::jsonb);
        continue;
      end if;
      insert into ${s}.mail_ids(message, at) values (v_message, (v_write->>'now')::bigint)
        on conflict (message) do update set at = excluded.at;
      insert into ${s}.mail(
        place, receiver, type, key, shard, sender_type, sender_key, id, kind, kept_at, attempts, next_at, frame)
        values (nextval('${s}.place'), v_agent, ${slice("(v_write->'type')")}, ${slice("(v_write->'key')")},
          (v_write->>'shard')::smallint, ${slice("(v_write->'type')")}, ${slice("(v_write->'key')")},
          ${slice("(v_write->'id')")}, v_write->>'kind', (v_write->>'sent')::bigint, 0, (v_write->>'sent')::bigint,
          ${slice("(v_write->'frame')")});
      v_sizes := v_sizes || jsonb_build_object(v_mailbox, v_count + 1);
      v_kept := v_kept + 1;
      v_results := array_append(v_results, '"kept"'::jsonb);
      continue;
    end if;

    -- Other writes may change the sizes of mailboxes.
    v_sizes := '{}';
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
      for v_part in select value from jsonb_array_elements(v_write->'mail') loop
        if v_part->>'next' is null then
          delete from ${s}.mail where place = (v_part->>'place')::bigint;
        else
          update ${s}.mail set next_at = (v_part->>'next')::bigint, attempts = (v_part->>'attempts')::bigint
            where place = (v_part->>'place')::bigint;
        end if;
      end loop;
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
      select jsonb_agg(mail.place - 1) into v_known
        from jsonb_array_elements(v_write->'mail') with ordinality as mail(value, place) where mail.value ? 'once' and exists(
          select from ${s}.mail_ids where message = decode(mail.value->>'once', 'hex') and at > v_forget);
      if v_known is not null then
        v_write := jsonb_set(v_write, '{mail}', coalesce((
          select jsonb_agg(mail.value order by mail.place)
            from jsonb_array_elements(v_write->'mail') with ordinality as mail(value, place)
            where not v_known @> to_jsonb(mail.place - 1)), '[]'));
      end if;
    end if;
    if v_result is null and v_write ? 'mostMail' and exists(
        select from jsonb_array_elements(v_write->'mail') as mail group by mail->>'receiver'
          having count(*) + ${s}.mailbox_size(decode(mail->>'receiver', 'hex'), (v_write->>'mostMail')::bigint)
            > (v_write->>'mostMail')::bigint) then
      v_result := jsonb_build_array(4);
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
      for v_part in select value from jsonb_array_elements(v_write->'mail') loop
        insert into ${s}.mail(
          place, receiver, type, key, shard, sender_type, sender_key, id, kind, kept_at, attempts, next_at, frame)
          values (nextval('${s}.place'), decode(v_part->>'receiver', 'hex'), ${slice("(v_part->'type')")},
            ${slice("(v_part->'key')")}, (v_part->>'shard')::smallint, ${slice("(v_write->'type')")},
            ${slice("(v_write->'key')")}, ${slice("(v_part->'id')")}, v_part->>'kind', v_now, 0, v_now,
            ${slice("(v_part->'frame')")});
        if v_part ? 'once' then
          insert into ${s}.mail_ids(message, at) values (decode(v_part->>'once', 'hex'), v_now)
            on conflict (message) do update set at = excluded.at;
          v_kept := v_kept + 1;
        end if;
      end loop;
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
    if v_known is not null then
      v_result := v_result || jsonb_build_array(v_known);
    end if;
    v_results := array_append(v_results, v_result);
  end loop;

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
  end if;
  return to_jsonb(v_results);
end $body$;
`;
}
