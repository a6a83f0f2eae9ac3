import { mailSize } from "../../core/internal.ts";

/** The tables that count mail, and the triggers that keep them. The total has one row. */
export function sizeTablesOf(s: string): string {
  return `
create table ${s}.mailbox_sizes(receiver bytea primary key, messages bigint not null, bytes bigint not null) with (fillfactor = 50);
create table ${s}.mail_type_sizes(type bytea primary key, bytes bigint not null) with (fillfactor = 50);
create table ${s}.mail_size(only_row boolean primary key default true check (only_row), bytes bigint not null) with (fillfactor = 10);
`;
}

/** Counts the mail that is there, and sets the triggers. A type counts under its SHA-256: an index does not take a long name. */
export function countMailOf(s: string): string {
  return `
lock table ${s}.mail in share row exclusive mode;
insert into ${s}.mailbox_sizes(receiver, messages, bytes)
  select receiver, count(*), sum(octet_length(frame) + ${mailSize(0)}) from ${s}.mail group by receiver;
insert into ${s}.mail_type_sizes(type, bytes)
  select sha256(type), sum(octet_length(frame) + ${mailSize(0)}) from ${s}.mail group by type;
insert into ${s}.mail_size(bytes) select coalesce(sum(bytes), 0) from ${s}.mailbox_sizes;
create trigger mail_added after insert on ${s}.mail referencing new table as changed
  for each statement execute function ${s}.count_mail('1');
create trigger mail_removed after delete on ${s}.mail referencing old table as changed
  for each statement execute function ${s}.count_mail('-1');
`;
}

/** Counts the mail anew, without the marks of deleted agents. */
export function recountMailOf(s: string): string {
  return `
lock table ${s}.mail in share row exclusive mode;
delete from ${s}.mailbox_sizes;
delete from ${s}.mail_type_sizes;
insert into ${s}.mailbox_sizes(receiver, messages, bytes)
  select receiver, count(*), sum(octet_length(frame) + ${mailSize(0)}) from ${s}.mail where kind <> 'emptied' group by receiver;
insert into ${s}.mail_type_sizes(type, bytes)
  select sha256(type), sum(octet_length(frame) + ${mailSize(0)}) from ${s}.mail where kind <> 'emptied' group by type;
update ${s}.mail_size set bytes = (select coalesce(sum(bytes), 0) from ${s}.mailbox_sizes);
`;
}

/**
 * The functions that count mail. No bound counts the marks of deleted agents. `full_mail` says which bound is too small for an addition: messages, and the bytes of a mailbox, its type
 * and all mail. `p_most` has the bounds in this order; null: none. `fit_mail` fits the mail of a write. It returns the receivers that do not
 * take all of theirs, each with the bound; `p_sizes` has what the group has added before. `insert_mail` inserts the mail of a group in one
 * statement, since each statement counts what it changes. It numbers the messages in their order.
 */
export function sizeFunctions(s: string): string {
  return `
create or replace function ${s}.count_mail() returns trigger language plpgsql as $body$
declare
  v_sign bigint := tg_argv[0]::bigint;
begin
  with added as (
    select receiver, type, v_sign * count(*) as messages, v_sign * sum(octet_length(frame) + ${mailSize(0)})::bigint as bytes
      from changed where kind <> 'emptied' group by receiver, type),
  boxes as (
    insert into ${s}.mailbox_sizes as size(receiver, messages, bytes) select receiver, messages, bytes from added
      on conflict (receiver) do update set messages = size.messages + excluded.messages, bytes = size.bytes + excluded.bytes),
  types as (
    insert into ${s}.mail_type_sizes as size(type, bytes) select sha256(type), sum(bytes) from added group by type
      on conflict (type) do update set bytes = size.bytes + excluded.bytes)
  update ${s}.mail_size set bytes = bytes + added.sum from (select sum(bytes) as sum from added) as added where added.sum is not null;
  if v_sign < 0 then
    delete from ${s}.mailbox_sizes where messages <= 0 and receiver = any(array(select receiver from changed));
    delete from ${s}.mail_type_sizes where bytes <= 0 and type = any(array(select distinct sha256(type) from changed));
  end if;
  return null;
end $body$;

create or replace function ${s}.full_mail(p_receiver bytea, p_type bytea, p_added bigint[], p_most jsonb) returns text language plpgsql as $body$
declare
  v_messages bigint;
  v_bytes bigint;
  v_type_bytes bigint;
  v_all bigint;
begin
  select box.messages, box.bytes, store.bytes, (select bytes from ${s}.mail_type_sizes where type = p_type)
    into v_messages, v_bytes, v_all, v_type_bytes
    from ${s}.mail_size as store left join ${s}.mailbox_sizes as box on box.receiver = p_receiver;
  return case
    when coalesce(v_messages, 0) + p_added[1] > (p_most->>0)::bigint then 'full'
    when coalesce(v_bytes, 0) + p_added[2] > (p_most->>1)::bigint then 'full'
    when v_all + p_added[4] > (p_most->>3)::bigint then 'mail-full'
    when coalesce(v_type_bytes, 0) + p_added[3] > (p_most->>2)::bigint then 'type-full' end;
end $body$;

create or replace function ${s}.fit_mail(p_mail jsonb, p_most jsonb, p_sizes jsonb) returns jsonb language plpgsql as $body$
declare
  v_part jsonb := p_mail->0;
  v_bytes bigint := (v_part->'frame'->>1)::bigint + ${mailSize(0)};
  v_of jsonb := p_sizes->(v_part->>'receiver');
  v_full text;
begin
  -- One message is the usual case, and needs no query of its own.
  if jsonb_array_length(p_mail) = 1 then
    if v_part->>'kind' = 'emptied' then
      return null;
    end if;
    if v_bytes > least((p_most->>1)::bigint, (p_most->>2)::bigint) then
      v_full := 'too-long';
    else
      v_full := ${s}.full_mail(decode(v_part->>'receiver', 'hex'), decode(v_part->>'typeId', 'hex'), array[
        1 + coalesce((v_of->>0)::bigint, 0), v_bytes + coalesce((v_of->>1)::bigint, 0),
        v_bytes + coalesce((p_sizes->>('type ' || (v_part->>'typeId')))::bigint, 0),
        v_bytes + coalesce((p_sizes->>'all')::bigint, 0)], p_most);
    end if;
    return case when v_full is not null then jsonb_build_object(v_part->>'receiver', v_full) end;
  end if;
  return (
    with mail as (
      select value->>'receiver' as receiver, value->>'typeId' as type, (value->'frame'->>1)::bigint + ${mailSize(0)} as bytes
        from jsonb_array_elements(p_mail) where value->>'kind' <> 'emptied'),
    boxes as (
      select receiver, type, count(*) as messages, sum(bytes)::bigint as bytes, max(bytes) as longest from mail group by receiver, type),
    sized as (
      select *, (sum(bytes) over (partition by type))::bigint as type_bytes, (sum(bytes) over ())::bigint as all_bytes from boxes)
    select jsonb_object_agg(receiver, why) from (
      select receiver, case when longest > least((p_most->>1)::bigint, (p_most->>2)::bigint) then 'too-long'
          else ${s}.full_mail(decode(receiver, 'hex'), decode(type, 'hex'), array[
            messages + coalesce((p_sizes->receiver->>0)::bigint, 0), bytes + coalesce((p_sizes->receiver->>1)::bigint, 0),
            type_bytes + coalesce((p_sizes->>('type ' || type))::bigint, 0), all_bytes + coalesce((p_sizes->>'all')::bigint, 0)], p_most)
        end as why from sized) as judged
      where why is not null);
end $body$;

create or replace function ${s}.added_sizes(p_sizes jsonb, p_mail jsonb) returns jsonb language plpgsql as $body$
declare
  v_part jsonb := p_mail->0;
  v_bytes bigint := (v_part->'frame'->>1)::bigint + ${mailSize(0)};
  v_of jsonb := p_sizes->(v_part->>'receiver');
  v_type text := 'type ' || (v_part->>'typeId');
  v_one integer := 1;
begin
  -- A mark counts as nothing, and is listed: what is listed is inserted.
  if v_part->>'kind' = 'emptied' then
    v_one := 0;
    v_bytes := 0;
  end if;
  if jsonb_array_length(p_mail) = 1 then
    return p_sizes || jsonb_build_object(
      v_part->>'receiver', jsonb_build_array(v_one + coalesce((v_of->>0)::bigint, 0), v_bytes + coalesce((v_of->>1)::bigint, 0)),
      v_type, v_bytes + coalesce((p_sizes->>v_type)::bigint, 0), 'all', v_bytes + coalesce((p_sizes->>'all')::bigint, 0));
  end if;
  return p_sizes || (
    with mail as (
      select value->>'receiver' as receiver, 'type ' || (value->>'typeId') as type,
          case value->>'kind' when 'emptied' then 0 else 1 end as messages,
          case value->>'kind' when 'emptied' then 0 else (value->'frame'->>1)::bigint + ${mailSize(0)} end as bytes
        from jsonb_array_elements(p_mail)),
    sizes as (
      select receiver as name, jsonb_build_array(
          sum(messages) + coalesce((p_sizes->receiver->>0)::bigint, 0), sum(bytes) + coalesce((p_sizes->receiver->>1)::bigint, 0)) as size
        from mail group by receiver
      union all select type, to_jsonb(sum(bytes) + coalesce((p_sizes->>type)::bigint, 0)) from mail group by type
      union all select 'all', to_jsonb(sum(bytes) + coalesce((p_sizes->>'all')::bigint, 0)) from mail having count(*) > 0)
    select coalesce(jsonb_object_agg(name, size), '{}') from sizes);
end $body$;

create or replace function ${s}.pending_mail(p_mail jsonb, p_write jsonb, p_base integer, p_sent bigint) returns jsonb[] language plpgsql as $body$
begin
  if jsonb_array_length(p_mail) = 1 then
    return array[(p_mail->0) || jsonb_build_object(
      'base', p_base, 'sent', p_sent, 'senderType', p_write->'type', 'senderKey', p_write->'key')];
  end if;
  return array(
    select mail.value || jsonb_build_object(
        'base', p_base, 'sent', p_sent, 'senderType', p_write->'type', 'senderKey', p_write->'key')
      from jsonb_array_elements(p_mail) with ordinality as mail(value, place) order by mail.place);
end $body$;

create or replace function ${s}.insert_mail(p_pending jsonb[], p_bytes bytea) returns void language plpgsql as $body$
begin
  insert into ${s}.mail(
    place, receiver, type, key, shard, sender_type, sender_key, id, kind, kept_at, attempts, next_at, frame)
    select nextval('${s}.place'), decode(part->>'receiver', 'hex'), ${slice("type")}, ${slice("key")}, (part->>'shard')::smallint,
      ${slice("senderType")}, ${slice("senderKey")}, ${slice("id")}, part->>'kind', (part->>'sent')::bigint, 0,
      (part->>'sent')::bigint, ${slice("frame")}
    from (select mail.part from unnest(p_pending) with ordinality as mail(part, place) order by mail.place) as ordered;
end $body$;
`;
}

/** Reads bytes that a pending message names. */
function slice(field: string): string {
  const value = `part->'${field}'`;
  return `substr(p_bytes, (part->>'base')::integer + (${value}->>0)::integer, (${value}->>1)::integer)`;
}
