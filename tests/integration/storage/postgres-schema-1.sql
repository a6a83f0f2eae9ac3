
SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

CREATE SCHEMA version_1;

ALTER SCHEMA version_1 OWNER TO troupe;

CREATE FUNCTION version_1.open_store(p_writers text, p_fence_lock bigint, p_seconds bigint, p_holder text, p_takes_over boolean, p_held bigint) RETURNS jsonb
    LANGUAGE plpgsql
    AS $$
declare
  v_meta "version_1".meta%rowtype;
  v_newest bigint;
  v_incarnation bigint;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception using errcode = '25000',
      message = 'the isolation level of transactions is ' || current_setting('transaction_isolation')
        || '; set default_transaction_isolation to read committed for this role';
  end if;
  perform pg_advisory_xact_lock(p_fence_lock);
  select * into strict v_meta from "version_1".meta;
  if p_held > 0 and (v_meta.writers is distinct from p_writers or v_meta.fence > p_held) then
    return jsonb_build_object('fenced', v_meta.holder);
  end if;
  if v_meta.writers <> p_writers and not p_takes_over then
    return jsonb_build_object('writers', v_meta.writers);
  end if;
  v_newest := greatest(v_meta.incarnation, v_meta.newest_generation);
  v_incarnation := greatest(v_newest + 1, p_seconds);
  update "version_1".meta set writers = p_writers, incarnation = v_incarnation, newest_generation = v_incarnation, holder = p_holder,
    fence = case when p_writers = 'many' and v_meta.writers = 'many' then fence else v_incarnation end;
  return jsonb_build_object('incarnation', v_incarnation, 'newestGeneration', v_newest);
end $$;

ALTER FUNCTION version_1.open_store(p_writers text, p_fence_lock bigint, p_seconds bigint, p_holder text, p_takes_over boolean, p_held bigint) OWNER TO troupe;

CREATE FUNCTION version_1.write_group(p_writers text, p_incarnation bigint, p_fence_lock bigint, p_mail_lock bigint, p_agent_locks bigint[], p_generation bigint, p_forget_before bigint, p_most_reminders integer, p_most_remembered integer, p_writes jsonb, p_bytes bytea) RETURNS jsonb
    LANGUAGE plpgsql
    AS $$
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
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception using errcode = '25000',
      message = 'the isolation level of transactions is ' || current_setting('transaction_isolation')
        || '; set default_transaction_isolation to read committed for this role';
  end if;
  perform pg_advisory_xact_lock_shared(p_fence_lock);
  select writers, fence, holder into strict v_meta from "version_1".meta;
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
    if v_write ? 'ticks' then
      for v_part in select value from jsonb_array_elements(v_write->'ticks') loop
        v_agent := decode(v_part->>'agent', 'hex');
        if v_part->>'due' is null then
          delete from "version_1".reminders where agent = v_agent and name = substr(p_bytes, v_base + ((v_part->'name')->>0)::integer, ((v_part->'name')->>1)::integer)
            and seq = (v_part->>'seq')::bigint;
        else
          update "version_1".reminders set due = (v_part->>'due')::bigint, attempts = (v_part->>'attempts')::bigint,
            rule = coalesce(substr(p_bytes, v_base + ((v_part->'rule')->>0)::integer, ((v_part->'rule')->>1)::integer), rule), seq = nextval('"version_1".seq') where agent = v_agent and name = substr(p_bytes, v_base + ((v_part->'name')->>0)::integer, ((v_part->'name')->>1)::integer)
            and seq = (v_part->>'seq')::bigint;
        end if;
      end loop;
      for v_part in select value from jsonb_array_elements(v_write->'mail') loop
        if v_part->>'next' is null then
          delete from "version_1".mail where place = (v_part->>'place')::bigint;
        else
          update "version_1".mail set next_at = (v_part->>'next')::bigint, attempts = (v_part->>'attempts')::bigint
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
    select etag, revision, generation, era, number into v_old from "version_1".state where agent = v_agent;
    v_found := found;
    if not v_found and p_writers = 'many' then
      select '' as etag, 0::bigint as revision, generation, era, number into v_old from "version_1".deleted where agent = v_agent;
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
      select count(*) into v_count from "version_1".reminders where agent = v_agent and v_kind <> 'delete'
        and substr(name, 1, 7) <> 'troupe.' and name <> all(
          array(select substr(p_bytes, v_base + ((value->'name')->>0)::integer, ((value->'name')->>1)::integer) from jsonb_array_elements(v_write->'reminders')));
      if v_count + (v_write->>'newReminders')::bigint > p_most_reminders then
        v_result := jsonb_build_array(3);
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
      update "version_1".state set revision = v_old.revision + 1, etag = v_write->>'etag',
        schema_version = (v_write->>'schemaVersion')::bigint, content_type = substr(p_bytes, v_base + ((v_write->'contentType')->>0)::integer, ((v_write->'contentType')->>1)::integer),
        saved_at = v_now, generation = v_generation, era = v_era, number = v_number, data = substr(p_bytes, v_base + ((v_write->'data')->>0)::integer, ((v_write->'data')->>1)::integer)
        where agent = v_agent;
      v_result := jsonb_build_array(0, v_write->>'etag', v_old.revision + 1);
    elsif v_kind = 'put' then
      insert into "version_1".state(
        agent, type, key, revision, etag, schema_version, content_type, saved_at, generation, era, number, data)
        values (v_agent, substr(p_bytes, v_base + ((v_write->'type')->>0)::integer, ((v_write->'type')->>1)::integer), substr(p_bytes, v_base + ((v_write->'key')->>0)::integer, ((v_write->'key')->>1)::integer), 1, v_write->>'etag',
          (v_write->>'schemaVersion')::bigint, substr(p_bytes, v_base + ((v_write->'contentType')->>0)::integer, ((v_write->'contentType')->>1)::integer), v_now, v_generation, v_era, v_number,
          substr(p_bytes, v_base + ((v_write->'data')->>0)::integer, ((v_write->'data')->>1)::integer));
      if p_writers = 'many' then
        delete from "version_1".deleted where agent = v_agent;
      end if;
      v_result := jsonb_build_array(0, v_write->>'etag', 1);
    elsif v_kind = 'delete' then
      delete from "version_1".state where agent = v_agent;
      delete from "version_1".reminders where agent = v_agent;
      delete from "version_1".remembered where agent = v_agent;
      delete from "version_1".mail where receiver = v_agent;
      if p_writers = 'many' and v_generation is not null then
        insert into "version_1".deleted(agent, generation, era, number, deleted_at)
          values (v_agent, v_generation, v_era, v_number, v_now)
          on conflict (agent) do update set generation = excluded.generation, era = excluded.era, number = excluded.number,
            deleted_at = excluded.deleted_at;
      end if;
      v_result := jsonb_build_array(0, '', 0);
    elsif v_found then
      if (v_old.generation, v_old.era, v_old.number) is distinct from (v_generation, v_era, v_number) then
        update "version_1".state set generation = v_generation, era = v_era, number = v_number where agent = v_agent;
      end if;
      v_result := jsonb_build_array(0, v_old.etag, v_old.revision);
    else
      v_result := jsonb_build_array(0, '', 0);
    end if;

    if v_write ? 'reminders' then
      for v_part in select value from jsonb_array_elements(v_write->'reminders') loop
        if v_part ? 'due' then
          insert into "version_1".reminders(agent, name, seq, type, key, shard, due, attempts, rule, message)
            values (v_agent, substr(p_bytes, v_base + ((v_part->'name')->>0)::integer, ((v_part->'name')->>1)::integer), nextval('"version_1".seq'), substr(p_bytes, v_base + ((v_write->'type')->>0)::integer, ((v_write->'type')->>1)::integer),
              substr(p_bytes, v_base + ((v_write->'key')->>0)::integer, ((v_write->'key')->>1)::integer), (v_write->>'shard')::smallint, (v_part->>'due')::bigint, 0,
              substr(p_bytes, v_base + ((v_part->'rule')->>0)::integer, ((v_part->'rule')->>1)::integer), substr(p_bytes, v_base + ((v_part->'message')->>0)::integer, ((v_part->'message')->>1)::integer))
            on conflict (agent, name) do update set seq = excluded.seq, due = excluded.due, attempts = 0, rule = excluded.rule,
              message = excluded.message;
        else
          delete from "version_1".reminders where agent = v_agent and name = substr(p_bytes, v_base + ((v_part->'name')->>0)::integer, ((v_part->'name')->>1)::integer);
        end if;
      end loop;
    end if;
    if v_write ? 'mail' then
      for v_part in select value from jsonb_array_elements(v_write->'mail') loop
        insert into "version_1".mail(
          place, receiver, type, key, shard, sender_type, sender_key, id, kind, kept_at, attempts, next_at, frame)
          values (nextval('"version_1".place'), decode(v_part->>'receiver', 'hex'), substr(p_bytes, v_base + ((v_part->'type')->>0)::integer, ((v_part->'type')->>1)::integer),
            substr(p_bytes, v_base + ((v_part->'key')->>0)::integer, ((v_part->'key')->>1)::integer), (v_part->>'shard')::smallint, substr(p_bytes, v_base + ((v_write->'type')->>0)::integer, ((v_write->'type')->>1)::integer),
            substr(p_bytes, v_base + ((v_write->'key')->>0)::integer, ((v_write->'key')->>1)::integer), substr(p_bytes, v_base + ((v_part->'id')->>0)::integer, ((v_part->'id')->>1)::integer), v_part->>'kind', v_now, 0, v_now,
            substr(p_bytes, v_base + ((v_part->'frame')->>0)::integer, ((v_part->'frame')->>1)::integer));
      end loop;
    end if;
    if v_write ? 'remembered' then
      for v_part in select value from jsonb_array_elements(v_write->'remembered') loop
        insert into "version_1".remembered(agent, message, seq, at, answer)
          values (v_agent, decode(v_part->>'message', 'hex'), nextval('"version_1".seq'), v_now,
            case when v_part ? 'answer' then substr(p_bytes, v_base + ((v_part->'answer')->>0)::integer, ((v_part->'answer')->>1)::integer) end)
          on conflict (agent, message) do update set seq = excluded.seq, at = excluded.at, answer = excluded.answer;
      end loop;
      if v_write ? 'answers' then
        delete from "version_1".remembered where agent = v_agent and answer is not null and seq <= (select seq from "version_1".remembered
          where agent = v_agent and answer is not null order by seq desc offset p_most_remembered limit 1);
      end if;
      if v_write ? 'ids' then
        delete from "version_1".remembered where agent = v_agent and answer is null and seq <= (select seq from "version_1".remembered
          where agent = v_agent and answer is null order by seq desc offset p_most_remembered limit 1);
      end if;
    end if;
    v_results := array_append(v_results, v_result);
  end loop;

  if p_generation is not null then
    update "version_1".meta set newest_generation = p_generation where newest_generation < p_generation;
  end if;
  if p_forget_before is not null then
    delete from "version_1".remembered where (agent, message) in (
      select agent, message from "version_1".remembered where at <= p_forget_before limit 1000 for update skip locked);
    delete from "version_1".deleted where agent in (
      select agent from "version_1".deleted where deleted_at <= p_forget_before limit 1000 for update skip locked);
  end if;
  return to_jsonb(v_results);
end $$;

ALTER FUNCTION version_1.write_group(p_writers text, p_incarnation bigint, p_fence_lock bigint, p_mail_lock bigint, p_agent_locks bigint[], p_generation bigint, p_forget_before bigint, p_most_reminders integer, p_most_remembered integer, p_writes jsonb, p_bytes bytea) OWNER TO troupe;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE version_1.deleted (
    agent bytea NOT NULL,
    generation bigint NOT NULL,
    era bigint NOT NULL,
    number bigint NOT NULL,
    deleted_at bigint NOT NULL
);

ALTER TABLE version_1.deleted OWNER TO troupe;

CREATE TABLE version_1.mail (
    place bigint NOT NULL,
    receiver bytea NOT NULL,
    type bytea NOT NULL,
    key bytea NOT NULL,
    shard smallint NOT NULL,
    sender_type bytea NOT NULL,
    sender_key bytea NOT NULL,
    id bytea NOT NULL,
    kind text NOT NULL,
    kept_at bigint NOT NULL,
    attempts bigint NOT NULL,
    next_at bigint NOT NULL,
    frame bytea NOT NULL
);

ALTER TABLE version_1.mail OWNER TO troupe;

CREATE TABLE version_1.meta (
    only_row boolean DEFAULT true NOT NULL,
    schema_version integer NOT NULL,
    writers text,
    incarnation bigint DEFAULT 0 NOT NULL,
    fence bigint DEFAULT 0 NOT NULL,
    newest_generation bigint DEFAULT 0 NOT NULL,
    holder text,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT meta_only_row_check CHECK (only_row)
);

ALTER TABLE version_1.meta OWNER TO troupe;

CREATE SEQUENCE version_1.place
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER TABLE version_1.place OWNER TO troupe;

CREATE TABLE version_1.remembered (
    agent bytea NOT NULL,
    message bytea NOT NULL,
    seq bigint NOT NULL,
    at bigint NOT NULL,
    answer bytea
)
WITH (fillfactor='80');

ALTER TABLE version_1.remembered OWNER TO troupe;

CREATE TABLE version_1.reminders (
    agent bytea NOT NULL,
    name bytea NOT NULL,
    seq bigint NOT NULL,
    type bytea NOT NULL,
    key bytea NOT NULL,
    shard smallint NOT NULL,
    due bigint NOT NULL,
    attempts bigint NOT NULL,
    rule bytea NOT NULL,
    message bytea NOT NULL
);

ALTER TABLE version_1.reminders OWNER TO troupe;

CREATE SEQUENCE version_1.seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER TABLE version_1.seq OWNER TO troupe;

CREATE TABLE version_1.state (
    agent bytea NOT NULL,
    type bytea NOT NULL,
    key bytea NOT NULL,
    revision bigint NOT NULL,
    etag text NOT NULL COLLATE pg_catalog."C",
    schema_version bigint NOT NULL,
    content_type bytea NOT NULL,
    saved_at bigint NOT NULL,
    generation bigint,
    era bigint,
    number bigint,
    data bytea NOT NULL
)
WITH (fillfactor='80');

ALTER TABLE version_1.state OWNER TO troupe;

INSERT INTO version_1.mail VALUES (1, '\x9552d0b1648d38b599d0301a891bf474e161a13a53ce71d4fad44c69b02ab232', '\x62', '\x6b', 15, '\x636f756e746572', '\x6b', '\x31', 'call', 1796066662613, 0, 1796066662613, '\x6672616d65206f662031');
INSERT INTO version_1.mail VALUES (2, '\x9552d0b1648d38b599d0301a891bf474e161a13a53ce71d4fad44c69b02ab232', '\x62', '\x6b', 15, '\x636f756e746572', '\x6b', '\x32', 'call', 1796066662613, 0, 1796066662613, '\x6672616d65206f662032');

INSERT INTO version_1.meta VALUES (true, 1, 'one', 1796066662, 1796066662, 1796066662, '{"host":"vm","pid":31618,"since":"2026-11-30T19:24:22.609Z"}', '2026-11-30 19:24:22.57724+00');

INSERT INTO version_1.remembered VALUES ('\x985a67235d670442bb88384733c0c097bcb4521b2976e3b615ae9aafcba7a494', '\x503bc0df76dcb1812bf85a6cf9cd4031dcecb85ea21953ac50ffe9acf03699fa', 2, 1796066662613, '\x61');

INSERT INTO version_1.reminders VALUES ('\x985a67235d670442bb88384733c0c097bcb4521b2976e3b615ae9aafcba7a494', '\x72', 1, '\x636f756e746572', '\x6b', 29, 5, 0, '\x6576657279203168', '\x72');

INSERT INTO version_1.state VALUES ('\x985a67235d670442bb88384733c0c097bcb4521b2976e3b615ae9aafcba7a494', '\x636f756e746572', '\x6b', 1, 'tpbxwm-1', 1, '\x6170706c69636174696f6e2f6a736f6e', 1796066662613, NULL, NULL, NULL, '\x6b657074');

SELECT pg_catalog.setval('version_1.place', 2, true);

SELECT pg_catalog.setval('version_1.seq', 2, true);

ALTER TABLE ONLY version_1.deleted
    ADD CONSTRAINT deleted_pkey PRIMARY KEY (agent);

ALTER TABLE ONLY version_1.mail
    ADD CONSTRAINT mail_pkey PRIMARY KEY (place);

ALTER TABLE ONLY version_1.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY version_1.remembered
    ADD CONSTRAINT remembered_pkey PRIMARY KEY (agent, message);

ALTER TABLE ONLY version_1.reminders
    ADD CONSTRAINT reminders_pkey PRIMARY KEY (agent, name);

ALTER TABLE ONLY version_1.state
    ADD CONSTRAINT state_pkey PRIMARY KEY (agent);

CREATE INDEX deleted_at ON version_1.deleted USING btree (deleted_at);

CREATE INDEX mail_receiver ON version_1.mail USING btree (receiver);

CREATE INDEX remembered_at ON version_1.remembered USING btree (at);

CREATE INDEX reminders_due ON version_1.reminders USING btree (due, seq);

CREATE INDEX state_long_names ON version_1.state USING btree (agent) WHERE ((octet_length(type) + octet_length(key)) > 2000);

CREATE INDEX state_names ON version_1.state USING btree (type, key) WHERE ((octet_length(type) + octet_length(key)) <= 2000);

