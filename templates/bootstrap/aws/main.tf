# What tenantry needs in AWS: a bucket for the store and for Terraform state, a bucket for the
# audit log that cannot forget, a bucket for access logs, and roles that GitHub's jobs take.
#
# Written by `tenantry init manager --bootstrap aws`; change it as you like, it is yours.
# Applied by hand, once and after each change of `customers`: never by a job of the manager, which
# would then give itself its own roles.

terraform {
  required_version = ">= 1.11"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.81, < 7.0"
    }
  }
  # The first apply makes the bucket. Then uncomment this, and run `terraform init -migrate-state`.
  # backend "s3" {
  #   bucket       = "[[ bucket ]]"
  #   key          = "bootstrap/terraform.tfstate"
  #   region       = "[[ region ]]"
  #   encrypt      = true
  #   use_lockfile = true
  # }
}

provider "aws" {
  region = var.region
}

data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}
