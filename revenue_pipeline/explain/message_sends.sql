-- The messages sent on the day of the cell.
SELECT message_id AS message, CAST(sends AS DECIMAL(38, 9)) AS value, contact_id, segments
FROM explained.rows
WHERE sends <> 0
