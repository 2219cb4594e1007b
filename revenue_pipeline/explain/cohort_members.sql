-- The members of a cohort.
SELECT user_id AS member, CAST(1 AS DECIMAL(38, 9)) AS value
FROM core.cohort_members
WHERE
    cohort_date = $cohort_date AND start_event = $start_event
    AND app_id IS NOT DISTINCT FROM $app_id AND platform IS NOT DISTINCT FROM $platform
    AND country IS NOT DISTINCT FROM $country AND channel IS NOT DISTINCT FROM $channel
    AND campaign_id IS NOT DISTINCT FROM $campaign_id
