/*
title: Rows by value
interval: 500ms
key: [value]
*/
SELECT value, count(*) AS rows FROM counters GROUP BY value ORDER BY value DESC
