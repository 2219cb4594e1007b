-- What the messages of the cell cost: billed segments x cost per segment.
SELECT
    message_id AS message,
    CAST(CAST(segments AS DECIMAL(19, 0)) * CAST($cost_per_segment AS DECIMAL(18, 9)) AS DECIMAL(38, 9)) AS value,
    segments
FROM explained.rows
WHERE segments <> 0
