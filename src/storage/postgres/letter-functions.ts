import { letterSize, mailSize } from "../../core/internal.ts";

/**
 * Writes to the table of dead letters: buries a message, forgets what is too much, puts letters into their mailboxes again, drops some. Returns how many it has changed; of a burial, how many
 * others it has forgotten, since all have too many bytes.
 * The caller has the lock of the mail.
 */
export function lettersFunction(s: string): string {
  const slice = (value: string): string =>
    `substr(p_bytes, (p_write->>'base')::integer + (${value}->>0)::integer, (${value}->>1)::integer)`;
  const size = `octet_length(frame) + ${letterSize(0)}`;
  const columns =
    "letter, receiver, type, key, shard, id, kind, sent_at, place, code, reason, attempts, died_at, frame";
  return `
create or replace function ${s}.write_letters(p_write jsonb, p_bytes bytea) returns jsonb language plpgsql as $body$
declare
  v_now bigint := (p_write->>'now')::bigint;
  v_letter bigint;
  v_receiver bytea;
  v_type bytea;
  v_count bigint := 0;
  v_left bigint := (p_write->>'sweep')::bigint;
  v_types bigint;
  v_bytes bigint;
begin
  case p_write->>'letters'
  when 'bury' then
    if (p_write->>'place')::bigint = 0 then
      insert into ${s}.dead(${columns}) values (
        nextval('${s}.seq'), decode(p_write->>'receiver', 'hex'), ${slice("(p_write->'type')")}, ${slice("(p_write->'key')")},
        (p_write->>'shard')::smallint, ${slice("(p_write->'id')")}, p_write->>'kind', (p_write->>'sent')::bigint, 0, p_write->>'code',
        ${slice("(p_write->'reason')")}, (p_write->>'attempts')::bigint, v_now, ${slice("(p_write->'frame')")});
    else
      with gone as (delete from ${s}.mail where place = (p_write->>'place')::bigint returning *)
      insert into ${s}.dead(${columns})
        select nextval('${s}.seq'), receiver, type, key, shard, id, kind, kept_at, place, p_write->>'code',
          ${slice("(p_write->'reason')")}, (p_write->>'attempts')::bigint, v_now, frame from gone;
    end if;
    -- More than were added, so that their number follows that of the last days.
    delete from ${s}.dead where letter in (
      select letter from ${s}.dead where died_at <= (p_write->>'forget')::bigint order by died_at limit 2);
  when 'sweep' then
    null;
  when 'replay' then
    for v_letter in select value::bigint from jsonb_array_elements_text(p_write->'of') loop
      select receiver, type, octet_length(frame) + ${mailSize(0)} into v_receiver, v_type, v_bytes from ${s}.dead where letter = v_letter;
      continue when not found;
      continue when ${s}.full_mail(v_receiver, sha256(v_type), array[1, v_bytes, v_bytes, v_bytes], p_write->'most') is not null;
      with gone as (delete from ${s}.dead where letter = v_letter returning *)
      insert into ${s}.mail(
        place, receiver, type, key, shard, sender_type, sender_key, id, kind, kept_at, attempts, next_at, frame)
        select nextval('${s}.place'), receiver, type, key, shard, type, key, id, kind, v_now, 0, v_now, frame from gone;
      v_count := v_count + 1;
    end loop;
  when 'drop' then
    delete from ${s}.dead where letter = any(array(select value::bigint from jsonb_array_elements_text(p_write->'of')));
    get diagnostics v_count = row_count;
  end case;
  if v_left is not null then
    -- The bytes that each type may have, so that all together have no more: those with the most lose their oldest.
    select count(distinct type) into v_types from ${s}.dead;
    for v_bytes in select sum(${size}) as bytes from ${s}.dead group by type order by bytes loop
      if v_bytes * v_types > v_left then
        delete from ${s}.dead where letter in (select letter from (
          select letter, sum(${size}) over (partition by type order by letter desc) as newer from ${s}.dead) as sized
          where newer > v_left / v_types);
        get diagnostics v_count = row_count;
        exit;
      end if;
      v_left := v_left - v_bytes;
      v_types := v_types - 1;
    end loop;
  end if;
  return to_jsonb(v_count);
end $body$;
`;
}
