-- The rows of a revision's tables can be held against what was published. Runs once. Reads nothing.

alter table ops.publications add column table_hashes jsonb;

comment on column ops.publications.table_hashes is 'By table of schema rating: its columns, how many rows were published, and a hash of them as they stood there, whatever their order. Null: published before this was recorded.';
comment on column ops.publications.input_sha256 is 'Hash of the lake partitions the rating read, as last confirmed.';
