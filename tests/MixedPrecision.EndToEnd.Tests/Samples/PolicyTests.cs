using MixedPrecision.Policies;

namespace MixedPrecision.EndToEnd.Tests.Samples;

public sealed class PolicyTests
{
    [Theory]
    [InlineData("DocArea", LossKind.CrossEntropy, 0.01)]
    [InlineData("DocWriter", LossKind.NextToken, 0.01)]
    [InlineData("Characters", LossKind.CrossEntropy, 0.03)]
    [InlineData("EmbeddingSearch", LossKind.OutputMse, 0.01)]
    public void The_samples_policies_are_valid_and_their_files_are_there(string sample, LossKind loss, double budget)
    {
        Policy policy = Policy.Load(Repository.Path($"samples/{sample}/model.policy.yaml"));

        Assert.Equal(budget, policy.Budget.Limits[0].Value);
        Assert.Equal(loss, policy.Calibration.Loss);
        Assert.All(new[] { policy.Model, policy.Calibration.Data!, policy.Evaluation!.Data }, file => Assert.True(Path.Exists(policy.Resolve(file)), file));
    }
}
