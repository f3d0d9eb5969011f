# Guardrails over the effective values of every stack. `deny` stops it, `warn` is only said.
package tenantry.instances

import rego.v1

deny contains {"msg": "min_instances is larger than max_instances", "path": "min_instances"} if {
	input.values.min_instances > input.values.max_instances
}

warn contains {"msg": "production runs on one instance only", "path": "min_instances"} if {
	input.stack.environment == "production"
	input.values.min_instances == 1
}
