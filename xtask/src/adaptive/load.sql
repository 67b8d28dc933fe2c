-- The load of `cargo xtask bench adaptive`: a transaction that waits, as for a disk, and then for one of a
-- few rows. With few connections the server idles, with many they stand in each other's way.
-- set row = uniform(1, 4)
-- name: work
select pg_sleep(0.0005);
update adaptive_hot set done = done + 1 where id = :row;
