variable "bucket" {
  description = "Bucket of the store and of Terraform state; `store.url` and `state.bucket` in tenantry.yml."
  type        = string
  default     = "[[ bucket ]]"
}

variable "region" {
  description = "Its region; `state.region` in tenantry.yml."
  type        = string
  default     = "[[ region ]]"
}

variable "store_prefix" {
  description = "The part of `store.url` behind the bucket."
  type        = string
  default     = "tenantry"
}

variable "manager" {
  description = "The manager repository on GitHub, owner/name."
  type        = string
  default     = "[[ manager ]]"
}

variable "manager_owner_id" {
  description = "Number of the repository's owner: `gh api repos/OWNER/NAME --jq .owner.id`. Identities of repositories that were made, renamed or transferred after 2026-07-15 hold it."
  type        = number
}

variable "manager_repository_id" {
  description = "Number of the repository: `gh api repos/OWNER/NAME --jq .id`."
  type        = number
}

variable "default_branch" {
  description = "The manager's default branch: the jobs that run in no environment run there."
  type        = string
  default     = "main"
}

variable "audit_retention_days" {
  description = "For how long no record of the audit log can be deleted."
  type        = number
  default     = 365
}

variable "audit_retention_mode" {
  description = "GOVERNANCE, which an administrator can lift, or COMPLIANCE, which nobody can."
  type        = string
  default     = "GOVERNANCE"

  validation {
    condition     = contains(["GOVERNANCE", "COMPLIANCE"], var.audit_retention_mode)
    error_message = "Write GOVERNANCE or COMPLIANCE."
  }
}

variable "create_oidc_provider" {
  description = "Whether this account does not know GitHub's identities yet. There can be one provider for them in an account."
  type        = bool
  default     = true
}

variable "customers" {
  description = <<-TEXT
    Customers, their environments, and what their jobs may do besides reading and writing their own
    part of the store and of state: ARNs of policies.
# %% if own_environments

    The jobs of each customer have an identity of their own, and a role trusts one of them alone.
# %% else

    Two customers with the same environment have the same identity on GitHub, so each could take the
    other's role. Where that matters, set `customers.own_environments` in tenantry.yml, and let this
    module be written again with `tenantry init manager --own-environments`.
# %% endif
  TEXT
  type = map(object({
    environments   = list(string)
    plan_policies  = optional(list(string), [])
    apply_policies = optional(list(string), [])
  }))
  default = {}

  validation {
    condition = alltrue(flatten([
      for id, customer in var.customers : [
        for name in concat([id], customer.environments) : can(regex("^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$", name))
      ]
    ]))
    error_message = "Ids of customers and environments are those of the estate: 1 to 40 of a-z, 0-9 and `-`."
  }
}
