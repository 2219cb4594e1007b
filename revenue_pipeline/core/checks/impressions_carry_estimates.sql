-- Where an SDK sends estimates, nearly all of its impressions should carry one: without, money is split evenly.
-- Gives the partner days with estimates on some impressions but on less than half of them.
SELECT
    report_date,
    partner,
    CAST(sum(sdk_impressions) AS BIGINT) AS impressions,
    CAST(sum(estimated_impressions) AS BIGINT) AS estimated_impressions
FROM core.reconciled_estimates
WHERE report_date >= $start_date AND report_date < $end_date
GROUP BY report_date, partner
HAVING sum(estimated_impressions) > 0 AND sum(estimated_impressions) * 2 < sum(sdk_impressions)
ORDER BY report_date, partner
