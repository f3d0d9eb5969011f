# Run with `tenantry policy test`.
package tenantry.instances_test

import data.tenantry.instances
import rego.v1

test_minimum_above_maximum_is_denied if {
	count(instances.deny) == 1 with input as {"values": {"min_instances": 3, "max_instances": 2}}
}

test_what_fits_is_not_denied if {
	count(instances.deny) == 0 with input as {"values": {"min_instances": 1, "max_instances": 2}}
}

test_one_instance_in_production_is_said if {
	count(instances.warn) == 1 with input as {
		"stack": {"environment": "production"},
		"values": {"min_instances": 1, "max_instances": 2},
	}
}
