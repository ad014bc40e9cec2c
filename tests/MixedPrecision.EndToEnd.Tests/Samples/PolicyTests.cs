using MixedPrecision.Policies;

namespace MixedPrecision.EndToEnd.Tests.Samples;

public sealed class PolicyTests
{
    [Theory]
    [InlineData("DocArea", LossKind.CrossEntropy)]
    [InlineData("DocWriter", LossKind.NextToken)]
    public void The_samples_policies_are_valid_and_their_files_are_there(string sample, LossKind loss)
    {
        Policy policy = Policy.Load(Repository.Path($"samples/{sample}/model.policy.yaml"));

        Assert.Equal(0.01, policy.Budget.Limits[0].Value);
        Assert.Equal(loss, policy.Calibration.Loss);
        Assert.All(new[] { policy.Model, policy.Calibration.Data!, policy.Evaluation!.Data }, file => Assert.True(File.Exists(policy.Resolve(file)), file));
    }
}
