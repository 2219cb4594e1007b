-- A key is split exactly while its total is below a billion, and the total times its impressions times its largest
-- estimate, in units of 10^-9, keeps within 38 digits. Beyond, mostly the currency or the unit of an import or of the
-- SDK's estimates is wrong: mend that and run the day again, or give the partner a finer grain in the settings.
WITH keys AS (
    SELECT
        *,
        CASE WHEN estimated_impressions = sdk_impressions THEN 1 ELSE estimated_impressions END AS weight,
        CAST(CAST(largest_estimate AS DECIMAL(27, 9)) * 1000000000 AS HUGEINT) AS largest_units
    FROM core.reconciled_estimates
    WHERE report_date >= $start_date AND report_date < $end_date AND status IN ('verified', 'unallocated')
)

SELECT
    partner, report_date, app_id, platform, country, ad_format, ad_unit_id, user_id,
    settled_revenue, sdk_impressions, largest_estimate
FROM keys
WHERE
    CASE
        WHEN abs(settled_revenue) >= 1000000000 THEN TRUE
        WHEN largest_units > 0 AND settled_revenue <> 0
            THEN CAST(CAST(abs(settled_revenue) AS DECIMAL(27, 9)) * 1000000000 AS HUGEINT) * weight
                > 99999999999999999999999999999999999999 // nullif(largest_units, 0)
        ELSE FALSE
    END
ORDER BY partner, report_date, app_id, platform, country, ad_format, ad_unit_id, user_id
