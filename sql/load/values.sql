-- How `gridgrade source load` reads the text of a value, as DuckDB macros: for each type what the value is, null where
-- it cannot be read, and what is wrong with it, null where nothing is.
-- value: the text without the blanks around it, null where there is none. The reasons are those of
-- pipeline/source/values.py.
create or replace temp macro load_trimmed(text) as
    nullif(trim(text, ' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(12288)), '');

create or replace temp macro load_count_of(value, character) as length(value) - length(replace(value, character, ''));

-- width: the number of columns. A quote that is not closed takes whole lines into one value, with their delimiters.
create or replace temp macro load_text_wrong(value, is_id, width) as
    case
        when contains(value, chr(0)) then 'nul'
        when (contains(value, chr(10)) or contains(value, chr(13)))
            and width - 1 <= greatest(
                load_count_of(value, ','), load_count_of(value, ';'), load_count_of(value, chr(9)), load_count_of(value, '|')
            )
            then 'lines'
        when is_id and regexp_full_match(value, '[0-9]([.,][0-9]+)?[Ee][+][0-9]+') then 'exponent'
        when is_id and starts_with(value, '=') then 'formula'
        when is_id and regexp_full_match(value, '[(<[]?(NULL|null|Null)[])>]?|\\N|None|NaN|nan|#(N/A|REF!|VALUE!|NAME\?|DIV/0!)')
            then 'nothing'
    end;

-- decimal: the stated decimal separator, null where none is. The other separator may then part thousands.
create or replace temp macro load_plain(value, decimal) as
    case
        when decimal is null and regexp_full_match(value, '[+-]?([0-9]+([.][0-9]*)?|[.][0-9]+)') then value
        when decimal = '.' and regexp_full_match(value, '[+-]?(([0-9]+|[0-9]{1,3}(,[0-9]{3})+)([.][0-9]*)?|[.][0-9]+)')
            then replace(value, ',', '')
        when decimal = ',' and regexp_full_match(value, '[+-]?(([0-9]+|[0-9]{1,3}([.][0-9]{3})+)(,[0-9]*)?|,[0-9]+)')
            then replace(replace(value, '.', ''), ',', '.')
    end;

-- places: the decimals that the column keeps. is_doubtful: a point before three digits may part thousands.
create or replace temp macro load_number_wrong(plain, places, is_doubtful, number) as
    case
        when plain is null then 'unreadable'
        when is_doubtful and regexp_full_match(plain, '[+-]?[0-9]{1,3}[.][0-9]{3}') then 'thousands'
        when regexp_full_match(plain, '[^.]*[.][0-9]{' || places || '}[0-9]*[1-9][0-9]*') then 'rounded'
        when number is null then 'unreadable'
    end;

create or replace temp macro load_boolean(value) as
    case
        when lower(value) in ('true', 't', 'yes', 'y', '1') then true
        when lower(value) in ('false', 'f', 'no', 'n', '0') then false
    end;

-- YYYY-MM-DD, with or without a midnight behind it.
create or replace temp macro load_iso_date(value) as
    case
        when regexp_full_match(value, '[0-9]{4}-[0-9]{2}-[0-9]{2}([ T]00:00(:00([.]0+)?)?)?')
            then try_cast(left(value, 10) as date)
    end;

-- format: the stated format of dates.
create or replace temp macro load_stated_date(value, format) as
    case
        when try_strptime(value, format) = date_trunc('day', try_strptime(value, format))
            then cast(try_strptime(value, format) as date)
    end;

create or replace temp macro load_day_wrong(day) as
    case
        when day is null then 'unreadable'
        when extract(year from day) < 1900 then 'early'
        when extract(year from day) > 9999 then 'unreadable'
    end;

-- An ISO day, a time and an offset. Without an offset it is an instant of the zone.
create or replace temp macro load_iso_instant(value, zone) as
    case
        when regexp_full_match(
            value,
            '[0-9]{4}-[0-9]{2}-[0-9]{2}([ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)?)?'
        )
            then timezone(zone, try_cast(value as timestamp))
        when regexp_full_match(
            value,
            '[0-9]{4}-[0-9]{2}-[0-9]{2}[ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,9})?)? ?'
            || '(Z|z|UTC|[+-][0-9]{2}(:?[0-9]{2})?)'
        )
            then try_cast(
                regexp_replace(regexp_replace(value, ' ?(Z|z|UTC)$', '+00'), ' ([+-])', '\1') as timestamptz
            )
    end;

-- The same with the day in the stated format.
create or replace temp macro load_stated_instant(value, format, zone) as
    load_iso_instant(
        strftime(
            load_stated_date(regexp_replace(value, '[ T][0-9]{2}:[0-9]{2}.*$', ''), format), '%Y-%m-%d'
        ) || regexp_extract(value, '[ T][0-9]{2}:[0-9]{2}.*$'),
        zone
    );

create or replace temp macro load_instant_wrong(value, instant) as
    case
        when regexp_matches(value, '[.][0-9]{6}[0-9]*[1-9]') then 'rounded'
        else load_day_wrong(instant)
    end;
