# These come from tenantry and cannot be set by a customer.
variable "tenantry_customer" { type = string }
variable "tenantry_environment" { type = string }

variable "project_name" { type = string }
variable "region" { type = string }
variable "instance_type" { type = string }

variable "min_instances" {
  type = number

  validation {
    condition     = var.min_instances <= var.max_instances
    error_message = "min_instances must not be larger than max_instances."
  }
}

variable "max_instances" { type = number }

variable "networking" {
  type = object({
    vpc_cidr           = string
    availability_zones = number
  })
}

variable "tags" {
  type    = map(string)
  default = {}
}
